import django_filters
from django.db.models import Q, QuerySet

from crm_project.api.filters import BooleanFilter, IdFilter
from sources.models import Assignment, Source


class SourceFilter(django_filters.FilterSet):
    is_active = BooleanFilter()
    kind = django_filters.ChoiceFilter(choices=Source.Kind.choices)
    search = django_filters.CharFilter(
        method="filter_search", help_text="A part of the name or the code, in any case."
    )

    class Meta:
        model = Source
        fields: list[str] = []

    def filter_search(self, sources: QuerySet[Source], name: str, value: str) -> QuerySet[Source]:
        return sources.filter(Q(name__icontains=value) | Q(code__icontains=value))


class AssignmentFilter(django_filters.FilterSet):
    operator_id = IdFilter()
    source_id = IdFilter()

    class Meta:
        model = Assignment
        fields: list[str] = []
