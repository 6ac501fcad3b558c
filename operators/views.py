from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from access.permissions import PostChanges
from contacts.selectors import with_load
from contacts.staffing import change_operator, delete_operator, release_operator
from crm_project.api.access import actor_of
from operators.filters import OperatorFilter
from operators.models import Operator
from operators.serializers import (
    OperatorDetailSerializer,
    OperatorSerializer,
    ReleasedSerializer,
    ReleaseSerializer,
)
from operators.services import create_operator
from sources.models import Assignment


class OperatorViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    lookup_value_converter = "int"
    http_method_names = ["get", "head", "post", "patch", "delete"]
    filterset_class = OperatorFilter

    def get_queryset(self) -> QuerySet[Operator]:
        operators = with_load(Operator.objects.all())
        if self.action == "list":
            return operators
        served = Assignment.objects.select_related("source").order_by("source")
        return operators.prefetch_related(Prefetch("assignments", served), "shifts", "days_off")

    def get_serializer_class(self) -> type[BaseSerializer]:
        return OperatorSerializer if self.action == "list" else OperatorDetailSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        operator = create_operator(**serializer.validated_data, actor=actor_of(self.request))
        serializer.instance = self.get_queryset().get(pk=operator.pk)

    def perform_update(self, serializer: BaseSerializer) -> None:
        operator, changes = serializer.instance, serializer.validated_data
        change_operator(operator, changes, actor=actor_of(self.request))
        serializer.instance = self.get_queryset().get(pk=serializer.instance.pk)

    def perform_destroy(self, instance: Operator) -> None:
        delete_operator(instance, actor=actor_of(self.request))

    @extend_schema(
        summary="Hand out an inactive operator's open contacts again",
        request=ReleaseSerializer,
        responses=ReleasedSerializer,
    )
    @action(detail=True, methods=["post"], permission_classes=[PostChanges])
    def release(self, request: Request, pk: int) -> Response:
        """Hand all open contacts out again by the rules of their sources; what finds nobody waits.

        An active operator is a conflict, unless `deactivate` does both at once.
        """
        Operator.objects.only("pk").get(pk=pk)
        serializer = ReleaseSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        released = release_operator(pk, **serializer.validated_data, actor=actor_of(request))
        return Response(ReleasedSerializer(released).data)
