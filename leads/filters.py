import django_filters
from django.db.models import Q, QuerySet

from contacts.text_search import leads_with
from leads.models import Lead
from leads.selectors import survivors_of


class LeadFilter(django_filters.FilterSet):
    external_id = django_filters.CharFilter(
        method="filter_external_id",
        strip=False,
        help_text="Also one that has been merged into the lead.",
    )
    phone = django_filters.CharFilter(method="filter_filled", strip=False)
    email = django_filters.CharFilter(method="filter_filled", strip=False)
    search = django_filters.CharFilter(
        method="filter_search",
        help_text="A part of the name, external id, phone or e-mail, in any case.",
    )

    class Meta:
        model = Lead
        fields: list[str] = []

    def filter_external_id(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        return leads.filter(pk__in=survivors_of(Lead.objects.filter(external_id=value)))

    def filter_filled(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        """That it is not empty goes without saying, but not to SQLite's partial index."""
        return leads.filter(Q(**{name: value}) & ~Q(**{name: ""}))

    def filter_search(self, leads: QuerySet[Lead], name: str, value: str) -> QuerySet[Lead]:
        return leads_with(leads, value, fields=("name", "external_id", "phone", "email"))
