from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from crm_project.api.filters import LARGEST_ID
from sources.filters import AssignmentFilter, SourceFilter
from sources.models import Assignment, Source
from sources.serializers import (
    AssignmentSerializer,
    SourceDetailSerializer,
    SourceSerializer,
    WeightSerializer,
)
from sources.services import (
    change_weight,
    create_source,
    delete_source,
    remove_assignment,
    set_weight,
    update_source,
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

    def get_serializer_class(self) -> type[BaseSerializer]:
        return SourceSerializer if self.action == "list" else SourceDetailSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        serializer.instance = create_source(**serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer) -> None:
        update_source(serializer.instance, **serializer.validated_data)

    def perform_destroy(self, instance: Source) -> None:
        delete_source(instance)


class AssignmentViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch", "delete"]
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
        assignment, created = set_weight(**serializer.validated_data)
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
            change_weight(assignment, **serializer.validated_data)
        return Response(self.get_serializer(assignment).data)

    @extend_schema(summary="Take an operator off a source")
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        remove_assignment(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
