from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from contacts import examples
from contacts.filters import ContactFilter
from contacts.models import Contact
from contacts.serializers import (
    ContactSerializer,
    CreatedContactSerializer,
    NewContactSerializer,
    ReassignedContactSerializer,
    ReassignSerializer,
    StatusSerializer,
)
from contacts.services import change_status, create_contact, reassign_contact
from crm_project.api.pagination import CursorPages


class ContactViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch"]
    queryset = Contact.objects.select_related("source", "operator")
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    pagination_class = CursorPages

    @extend_schema(
        summary="Create a contact and give it to an operator",
        request=NewContactSerializer,
        responses={201: CreatedContactSerializer},
        examples=[examples.NEW_CONTACT, examples.CREATED_CONTACT],
    )
    def create(self, request: Request) -> Response:
        """Record an inquiry and give it to one of the source's available operators at once.

        Drawn with P = weight / Σ weights among those assigned to the source, active and below
        their limit. Where there is nobody, the contact is created all the same and waits.
        """
        given = self._validated(NewContactSerializer)
        contact, decision = create_contact(**given)
        body = CreatedContactSerializer(contact, context={"decision": decision})
        return Response(body.data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Take, close or reopen a contact",
        # Written out: of a PATCH's serializer, drf-spectacular makes every field optional.
        request={"application/json": examples.STATUS_SCHEMA},
        responses=ContactSerializer,
        examples=[examples.STATUS],
    )
    @action(detail=True, methods=["patch"], url_path="status")
    def set_status(self, request: Request, pk: int) -> Response:
        """Move the contact to another status, in any order.

        Closing frees the operator's place. Reopening takes one again: with the same operator if
        still assigned and available, else by distribution, else the contact waits.
        """
        self._find(pk)
        contact = change_status(pk, **self._validated(StatusSerializer))
        return Response(ContactSerializer(contact).data)

    @extend_schema(
        summary="Give a contact to another operator",
        request=ReassignSerializer,
        responses=ReassignedContactSerializer,
        examples=[examples.REASSIGN],
    )
    @action(detail=True, methods=["post"])
    def reassign(self, request: Request, pk: int) -> Response:
        """Give an open contact to another operator: a named one, or one found by distribution."""
        self._find(pk)
        moved = reassign_contact(pk, **self._validated(ReassignSerializer))
        context = {"decision": moved.decision, "reassignment": moved}
        return Response(ReassignedContactSerializer(moved.contact, context=context).data)

    def _find(self, pk: int) -> None:
        """404 where there is no such contact, whatever the body says."""
        Contact.objects.only("pk").get(pk=pk)

    def _validated(self, serializer_class: type[BaseSerializer]) -> dict:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data
