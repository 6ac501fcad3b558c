import django_filters
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from crm_project.api.filters import BooleanFilter, OrderingFilter
from operators.models import Operator, on_shift


class OperatorFilter(django_filters.FilterSet):
    is_active = BooleanFilter()
    source = django_filters.CharFilter(
        field_name="sources__code", help_text="The code of a source they are assigned to."
    )
    has_capacity = BooleanFilter(
        method="filter_capacity", help_text="Is the load below the limit, within working hours?"
    )
    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", help_text="A part of the name, in any case."
    )
    ordering = OrderingFilter(fields=["name", "current_load", "created_at"])

    class Meta:
        model = Operator
        fields: list[str] = []

    def filter_capacity(
        self, operators: QuerySet[Operator], name: str, value: bool
    ) -> QuerySet[Operator]:
        free = Q(current_load__lt=F("max_active_contacts")) & on_shift(timezone.now())
        return operators.filter(free if value else ~free)
