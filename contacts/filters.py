import django_filters
from django.db.models import QuerySet, Subquery

from contacts.models import OPEN, WAITING, Contact
from contacts.text_search import contacts_with
from crm_project.api.filters import BooleanFilter, IdFilter, MomentFilter
from leads.models import Lead
from leads.selectors import survivors_of
from sources.models import Source


class ContactFilter(django_filters.FilterSet):
    status = django_filters.MultipleChoiceFilter(
        choices=Contact.Status.choices, method="filter_status", help_text="May be repeated."
    )
    source = django_filters.CharFilter(
        method="filter_source", strip=False, help_text="The code of the source."
    )
    source_id = IdFilter()
    operator_id = IdFilter()
    lead_id = IdFilter(method="filter_lead", help_text="Also of one that has been merged into it.")
    waiting = BooleanFilter(method="filter_waiting", help_text="Open and without operator.")
    escalated = BooleanFilter(
        method="filter_escalated", help_text="Not taken in time, and marked for the team lead."
    )
    created_after = MomentFilter(
        field_name="created_at", lookup_expr="gte", help_text="ISO 8601; this moment included."
    )
    created_before = MomentFilter(
        field_name="created_at", lookup_expr="lt", help_text="ISO 8601; this moment excluded."
    )
    search = django_filters.CharFilter(
        method="filter_search",
        help_text="A part of the message, the lead's name or external id, in any case.",
    )

    class Meta:
        model = Contact
        fields: list[str] = []

    def filter_status(
        self, contacts: QuerySet[Contact], name: str, value: list[str]
    ) -> QuerySet[Contact]:
        """Where only open ones are asked for it is said twice, once for their index."""
        if not value:
            return contacts
        contacts = contacts.filter(status__in=value)
        return contacts if Contact.Status.CLOSED in value else contacts.filter(OPEN)

    def filter_source(
        self, contacts: QuerySet[Contact], name: str, value: str
    ) -> QuerySet[Contact]:
        """Not by a join, for which PostgreSQL sorts all of the source or looks through all."""
        return contacts.filter(source=Subquery(Source.objects.filter(code=value).values("pk")))

    def filter_lead(self, contacts: QuerySet[Contact], name: str, value: int) -> QuerySet[Contact]:
        return contacts.filter(lead=Subquery(survivors_of(Lead.objects.filter(pk=value))))

    def filter_waiting(
        self, contacts: QuerySet[Contact], name: str, value: bool
    ) -> QuerySet[Contact]:
        return contacts.filter(WAITING if value else ~WAITING)

    def filter_escalated(
        self, contacts: QuerySet[Contact], name: str, value: bool
    ) -> QuerySet[Contact]:
        return contacts.filter(escalated_at__isnull=not value)

    def filter_search(
        self, contacts: QuerySet[Contact], name: str, value: str
    ) -> QuerySet[Contact]:
        return contacts_with(contacts, value, lead_fields=("name", "external_id"))
