import django_filters
from django.db.models import Q, QuerySet

from leads.models import Lead


class LeadFilter(django_filters.FilterSet):
    external_id = django_filters.CharFilter(strip=False)
    phone = django_filters.CharFilter(strip=False)
    email = django_filters.CharFilter(strip=False)
    search = django_filters.CharFilter(
        method="filter_search",
        help_text="A part of the name, external id, phone or e-mail, in any case.",
    )

    class Meta:
        model = Lead
        fields: list[str] = []

    def filter_search(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        return leads.filter(
            Q(name__icontains=value)
            | Q(external_id__icontains=value)
            | Q(phone__icontains=value)
            | Q(email__icontains=value)
        )
