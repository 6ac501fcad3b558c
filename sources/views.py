from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from access.permissions import PostSets
from contacts.preview import preview
from contacts.staffing import assign, change_source
from crm_project.api.access import actor_of
from crm_project.api.filters import LARGEST_ID
from crm_project.errors import invalid
from sources.filters import AssignmentFilter, SourceFilter
from sources.models import Assignment, Source
from sources.serializers import (
    AssignmentSerializer,
    PreviewSerializer,
    SourceDetailSerializer,
    SourceSerializer,
    WeightSerializer,
    preview_as_json,
)
from sources.services import (
    change_weight,
    create_source,
    delete_source,
    remove_assignment,
)


class SourceViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch", "delete"]
    queryset = Source.objects.all()
    filterset_class = SourceFilter

    def get_queryset(self) -> QuerySet[Source]:
        sources = super().get_queryset()
        return sources if self.action == "list" else sources.select_related("channel")

    def get_serializer_class(self) -> type[BaseSerializer]:
        return SourceSerializer if self.action == "list" else SourceDetailSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        serializer.instance = create_source(
            **serializer.validated_data, actor=actor_of(self.request)
        )

    def perform_update(self, serializer: BaseSerializer) -> None:
        source, changes = serializer.instance, serializer.validated_data
        serializer.instance = change_source(source, changes, actor=actor_of(self.request))

    def perform_destroy(self, instance: Source) -> None:
        delete_source(instance, actor=actor_of(self.request))

    @extend_schema(
        summary="Show who would get the next contact",
        responses=PreviewSerializer,
        parameters=[
            OpenApiParameter(
                "lead_external_id", str, description="Who would write, for a sticky source."
            )
        ],
    )
    @action(detail=True, pagination_class=None, filterset_class=None)
    def preview(self, request: Request, pk: int) -> Response:
        """Who would get the next contact with what probability, and who is passed over and why.

        The same computation as the real decision; it writes and locks nothing.
        """
        source = self.get_object()
        external_id = request.query_params.get("lead_external_id")
        if external_id and "\0" in external_id:
            raise invalid("lead_external_id", _("Null characters are not allowed."))
        decision, waits = preview(source, external_id=external_id or None)
        return Response(preview_as_json(source, decision, waits=waits))


class AssignmentViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch", "delete"]
    permission_classes = [PostSets]
    queryset = Assignment.objects.order_by("operator", "source")
    serializer_class = AssignmentSerializer
    filterset_class = AssignmentFilter

    def get_object(self) -> Assignment:
        # SQLite cannot even compare a foreign key with a number beyond 64 bits.
        if max(self.kwargs.values()) > LARGEST_ID:
            raise Http404
        return get_object_or_404(self.get_queryset(), **self.kwargs)

    @extend_schema(
        summary="Set the weight of an operator in a source",
        responses={
            201: AssignmentSerializer,
            200: OpenApiResponse(AssignmentSerializer, "The pair stood already."),
        },
    )
    def create(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        assignment, created = assign(**given, actor=actor_of(request))
        return Response(
            self.get_serializer(assignment).data,
            status=status.HTTP_201_CREATED if created else status.HTTP_200_OK,
        )

    @extend_schema(
        summary="Change a weight", request=WeightSerializer, responses=AssignmentSerializer
    )
    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        serializer = WeightSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        assignment = self.get_object()
        if serializer.validated_data:
            change_weight(assignment, **serializer.validated_data, actor=actor_of(request))
        return Response(self.get_serializer(assignment).data)

    @extend_schema(summary="Take an operator off a source")
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        remove_assignment(self.get_object(), actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
