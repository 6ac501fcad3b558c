from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from access.permissions import PostChanges, may_view, sources_of
from contacts import examples
from contacts.bulk import (
    EXAMPLE,
    BulkResultsSerializer,
    BulkSerializer,
    create_each,
    outcomes_of,
)
from contacts.filters import ContactFilter
from contacts.keyed import PARAMETERS, idempotent
from contacts.message_serializers import CONVERSATION, MOST_MESSAGES, ConversationSerializer
from contacts.models import Contact, DecisionRecord
from contacts.rights import only_of, visible_contacts
from contacts.selectors import conversation
from contacts.serializers import (
    ContactSerializer,
    CreatedContactSerializer,
    HistorySerializer,
    NewContactSerializer,
    ReassignedContactSerializer,
    ReassignSerializer,
    StatusSerializer,
)
from contacts.services import change_status, create_contact, reassign_contact
from crm_project.api.access import actor_of
from crm_project.api.pagination import CursorPages
from crm_project.api.schema import ErrorsSerializer
from crm_project.logs import note
from leads.models import Lead
from operators.models import Operator


class ContactViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch"]
    queryset = Contact.objects.select_related("source", "operator")
    serializer_class = ContactSerializer
    filterset_class = ContactFilter
    pagination_class = CursorPages
    intake_actions = ("create", "bulk")

    def get_queryset(self) -> QuerySet[Contact]:
        return visible_contacts(self.request.user, super().get_queryset())

    @extend_schema(
        summary="Create a contact and give it to an operator",
        parameters=PARAMETERS,
        request=NewContactSerializer,
        responses={201: CreatedContactSerializer, 422: ErrorsSerializer},
        examples=[
            examples.NEW_CONTACT,
            examples.CREATED_CONTACT,
            examples.NO_SOURCE,
            examples.SOURCE_NOT_ALLOWED,
            examples.KEY_REUSED,
        ],
    )
    @idempotent
    def create(self, request: Request) -> Response:
        """Record an inquiry and give it to one of the source's available operators at once.

        Drawn with P = weight / Σ weights among those assigned to the source, active and below
        their limit. Where there is nobody, the contact is created all the same and waits.
        """
        given = self._validated(NewContactSerializer, only_sources=sources_of(request))
        contact, decision = create_contact(given["inquiry"], actor=actor_of(request))
        note(source=contact.source.code, outcome="assigned" if contact.operator_id else "waiting")
        only_given = None if may_view(request, Lead) else given["inquiry"]
        context = {"decision": decision, "only_given": only_given}
        body = CreatedContactSerializer(contact, context=context)
        return Response(body.data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Create many contacts at once",
        parameters=PARAMETERS,
        request=BulkSerializer,
        responses={200: BulkResultsSerializer, 422: ErrorsSerializer},
        examples=[EXAMPLE, examples.KEY_REUSED],
    )
    @action(detail=False, methods=["post"])
    @idempotent
    def bulk(self, request: Request) -> Response:
        """Create up to 1000 contacts, in their order, all in one transaction.

        An invalid one does not stop the others: it has `errors` in place of a `contact`. The body
        may have 8 MiB.
        """
        items = self._validated(BulkSerializer)["contacts"]
        results = create_each(
            items,
            only_sources=sources_of(request),
            knows_leads=may_view(request, Lead),
            actor=actor_of(request),
        )
        note(**outcomes_of(results))
        return Response({"results": results})

    @extend_schema(summary="Show why each operator got a contact", responses=HistorySerializer)
    @action(detail=True, pagination_class=None, filterset_class=None)
    def history(self, request: Request, pk: int) -> Response:
        """Every decision about who answers the contact, oldest first."""
        self._find(pk)
        records = DecisionRecord.objects.filter(contact=pk).order_by("pk")
        context = {"knows_operators": may_view(request, Operator)}
        return Response(HistorySerializer({"results": records}, context=context).data)

    @extend_schema(
        summary="Show what the lead wrote",
        responses=ConversationSerializer,
        examples=[CONVERSATION],
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def messages(self, request: Request, pk: int) -> Response:
        """What made the contact and what was added to it, oldest first.

        Of more than 1000 further messages, the newest 1000.
        """
        contact = visible_contacts(request.user).get(pk=pk)
        shown = conversation(contact, most=MOST_MESSAGES)
        return Response(ConversationSerializer({"results": shown}).data)

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
        given = self._validated(StatusSerializer)
        own = only_of(request.user)
        contact = change_status(pk, **given, only_of=own, actor=actor_of(request))
        note(source=contact.source.code, outcome=contact.status)
        return Response(ContactSerializer(contact).data)

    @extend_schema(
        summary="Give a contact to another operator",
        request=ReassignSerializer,
        responses=ReassignedContactSerializer,
        examples=[examples.REASSIGN],
    )
    @action(detail=True, methods=["post"], permission_classes=[PostChanges])
    def reassign(self, request: Request, pk: int) -> Response:
        """Give an open contact to another operator: a named one, or one found by distribution."""
        self._find(pk)
        given = self._validated(ReassignSerializer)
        own = only_of(request.user)
        if own and (given.get("operator_id") or given["force"]):
            raise PermissionDenied
        moved = reassign_contact(pk, **given, only_of=own, actor=actor_of(request))
        note(source=moved.contact.source.code, outcome=moved.outcome)
        context = {"decision": moved.decision, "reassignment": moved}
        context["knows_operators"] = may_view(request, Operator)
        return Response(ReassignedContactSerializer(moved.contact, context=context).data)

    def _find(self, pk: int) -> None:
        """404 where there is no such contact for who asks, whatever the body says."""
        visible_contacts(self.request.user).only("pk").get(pk=pk)

    def _validated(self, serializer_class: type[BaseSerializer], **context: Any) -> dict:
        serializer = serializer_class(data=self.request.data, context=context)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data
