from django.db.models import Prefetch, QuerySet
from rest_framework import mixins, viewsets
from rest_framework.serializers import BaseSerializer

from contacts.selectors import with_load
from contacts.services import delete_operator
from operators.filters import OperatorFilter
from operators.models import Operator
from operators.serializers import OperatorDetailSerializer, OperatorSerializer
from operators.services import create_operator, update_operator
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
        return operators.prefetch_related(Prefetch("assignments", served))

    def get_serializer_class(self) -> type[BaseSerializer]:
        return OperatorSerializer if self.action == "list" else OperatorDetailSerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        operator = create_operator(**serializer.validated_data)
        serializer.instance = self.get_queryset().get(pk=operator.pk)

    def perform_update(self, serializer: BaseSerializer) -> None:
        update_operator(serializer.instance, **serializer.validated_data)
        serializer.instance = self.get_queryset().get(pk=serializer.instance.pk)

    def perform_destroy(self, instance: Operator) -> None:
        delete_operator(instance)
