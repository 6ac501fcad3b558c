"""Search for parts of texts, in any case, at a cost that does not grow with the rows."""

from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from contacts.models import Contact
from contacts.text_index import MESSAGES, PEOPLE, beyond, candidates, serves
from leads.models import Lead

Row = TypeVar("Row", bound=Model)

# A term that so many of the newest so many rows have fills a page soon, whatever is asked beside
# it: to go through the rows is quicker than to look up all that have it.
FREQUENT, NEWEST = 51, 5_000
LEAD_FIELDS = ("name", "external_id", "phone", "phone_e164", "email")


def contacts_with(
    contacts: QuerySet[Contact], term: str, *, lead_fields: tuple[str, ...]
) -> QuerySet[Contact]:
    """Those with the term in the message or in one of the fields of their lead."""
    parts = Q(message__icontains=term) | _parts(lead_fields, term, "lead__")
    if not serves(MESSAGES, term) or _is_frequent(Contact.objects.all(), parts):
        return contacts.filter(parts)
    people = Lead.objects.filter(_parts(lead_fields, term))
    ids = Contact.objects.order_by().values("pk")
    of_leads = ids.filter(lead__in=_ids(people, term))
    of_messages = ids.filter(pk__in=candidates(MESSAGES, term), message__icontains=term)
    new = beyond(MESSAGES, ids).filter(message__icontains=term)
    return contacts.filter(pk__in=of_messages.union(new, of_leads))


def leads_with(leads: QuerySet[Lead], term: str, *, fields: tuple[str, ...]) -> QuerySet[Lead]:
    """Those with the term in one of the fields."""
    parts = _parts(fields, term)
    if not serves(PEOPLE, term) or _is_frequent(Lead.objects.all(), parts):
        return leads.filter(parts)
    return leads.filter(pk__in=_ids(Lead.objects.filter(parts), term))


def _ids(people: QuerySet[Lead], term: str) -> QuerySet[Any]:
    """Of leads that are asked for by a part of a text: by the index of the texts."""
    if not serves(PEOPLE, term):
        return people.order_by().values("pk")
    found = people.order_by().values("pk")
    return found.filter(pk__in=candidates(PEOPLE, term)).union(beyond(PEOPLE, found))


def _parts(fields: tuple[str, ...], term: str, prefix: str = "") -> Q:
    found = Q(pk__in=[])
    for name in fields:
        found |= Q(**{f"{prefix}{name}__icontains": term})
    return found


def _is_frequent(rows: QuerySet[Row], parts: Q) -> bool:
    newest = rows.order_by("-created_at", "-pk").values("pk")[:NEWEST]
    return len(rows.filter(parts, pk__in=newest).order_by().values("pk")[:FREQUENT]) == FREQUENT
