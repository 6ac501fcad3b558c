"""Search for parts of texts, in any case, at a cost that does not grow with the rows."""

from collections.abc import Collection

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from contacts.models import Contact
from contacts.tally import marks
from contacts.text_index import MESSAGES, PEOPLE, TextIndex, candidates, serves
from leads.models import Lead

# A term that so many of the newest so many rows have fills a page soon, whatever is asked beside
# it: to go through the rows is quicker than to look up all that have it. So it is with one that
# more than MOST have; one that only FEW have is looked up without asking.
FREQUENT, NEWEST, FEW, MOST = 51, 5_000, 500, 10_000
# What the copies do not serve is looked for in the newest so many rows.
BOUND = 20_000
LEAD_FIELDS = ("name", "external_id", "phone", "phone_e164", "email")


def contacts_with(
    contacts: QuerySet[Contact], term: str, *, lead_fields: Collection[str]
) -> QuerySet[Contact]:
    """Those with the term in the message or in one of the fields of their lead.

    One that is too short for the copies, or where there are none, only among the newest BOUND.
    """
    message, people = Q(message__icontains=term), _parts(lead_fields, term)
    each = message | Q(Exists(Lead.objects.filter(people, pk=OuterRef("lead"))))
    if not serves(MESSAGES, term):
        return _newest(contacts, Contact, BOUND).filter(each)
    leads = _leads(people, term)
    copied = _copied(MESSAGES, term)
    if leads is None or copied is None:
        return contacts.filter(each)
    if len(leads) + len(copied) > FEW and _is_frequent(Contact, each):
        return contacts.filter(each)
    new = Q(pk__gt=marks.up_to(MESSAGES.name))
    # Each of the three is a piece of an index.
    return contacts.filter((Q(pk__in=copied) & message) | (new & message) | Q(lead__in=leads))


def leads_with(leads: QuerySet[Lead], term: str, *, fields: Collection[str]) -> QuerySet[Lead]:
    """Those with the term in one of the fields; likewise."""
    parts = _parts(fields, term)
    # Within an OR, PostgreSQL takes half of the rows to have it, and goes through them in order.
    each = Q(Exists(Lead.objects.filter(parts, pk=OuterRef("pk")))) | Q(pk__lt=0)
    if not serves(PEOPLE, term):
        return _newest(leads, Lead, BOUND).filter(each)
    found = _leads(parts, term)
    if found is None or (len(found) > FEW and _is_frequent(Lead, parts)):
        return leads.filter(each)
    return leads.filter(pk__in=found)


def _leads(parts: Q, term: str) -> list[int] | None:
    """The ids of those who have the term in one of these parts; None: they are too many."""
    copied = _copied(PEOPLE, term)
    if copied is None:
        return None
    new = Q(pk__gt=marks.up_to(PEOPLE.name))
    rows = Lead.objects.filter((Q(pk__in=copied) & parts) | (new & parts)).order_by()
    return list(rows.values_list("pk", flat=True))


def _copied(index: TextIndex, term: str) -> list[int] | None:
    """The ids of those who may have the term; None: they are too many."""
    found = candidates(index, term, most=MOST + 1)
    return found if len(found) <= MOST else None


def _parts(fields: Collection[str], term: str) -> Q:
    found = Q(pk__in=[])
    for name in fields:
        found |= Q(**{f"{name}__icontains": term})
    return found


def _is_frequent(model: type[Model], parts: Q) -> bool:
    rows = _newest(model._default_manager.order_by(), model, NEWEST)
    return len(rows.filter(parts).values("pk")[:FREQUENT]) == FREQUENT


def _newest(rows: QuerySet, model: type[Model], count: int) -> QuerySet:
    """By a range of the index on the time: of a subquery PostgreSQL might take the parts first."""
    moments = model._default_manager.order_by("-created_at", "-pk").values_list("created_at")
    oldest = moments[count : count + 1].first()
    return rows.filter(created_at__gte=oldest[0]) if oldest else rows
