"""Search for parts of texts, in any case, at a cost that does not grow with the rows."""

from collections.abc import Collection

from django.db.models import BooleanField, ExpressionWrapper, Model, OuterRef, Q, QuerySet, Subquery

from contacts.models import Contact
from contacts.tally import marks
from contacts.text_index import MESSAGES, PEOPLE, TextIndex, candidates, is_frequent, serves
from leads.models import Lead

# More than so many are not looked up but met on the way through the rows, newest first.
MOST = 10_000
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
    each = message | Q(_of_lead(people, "lead"))
    if not serves(MESSAGES, term):
        return _newest(contacts, Contact).filter(each)
    copied = _copied(MESSAGES, term)
    leads = None if copied is None else _leads(people, term)
    if copied is None or leads is None:
        return contacts.filter(each)
    new = Q(pk__gt=marks.up_to(MESSAGES.name))
    # Each of the three is a piece of an index.
    return contacts.filter((Q(pk__in=copied) & message) | (new & message) | Q(lead__in=leads))


def leads_with(leads: QuerySet[Lead], term: str, *, fields: Collection[str]) -> QuerySet[Lead]:
    """Those with the term in one of the fields; likewise."""
    parts = _parts(fields, term)
    each = Q(_of_lead(parts, "pk"))
    if not serves(PEOPLE, term):
        return _newest(leads, Lead).filter(each)
    found = _leads(parts, term)
    return leads.filter(each) if found is None else leads.filter(pk__in=found)


def _of_lead(parts: Q, name: str) -> Subquery:
    """Of the lead whom the column names; not EXISTS, for which PostgreSQL may read all leads, nor a
    condition of the row, by whose frequency it may go through the rows in another order.
    """
    lead = Lead.objects.filter(pk=OuterRef(name)).order_by()
    output = BooleanField()
    return Subquery(lead.values(found=ExpressionWrapper(parts, output)), output_field=output)


def _leads(parts: Q, term: str) -> list[int] | None:
    """The ids of those who have the term in one of these parts; None: they are many."""
    copied = _copied(PEOPLE, term)
    if copied is None:
        return None
    new = Q(pk__gt=marks.up_to(PEOPLE.name))
    rows = Lead.objects.filter((Q(pk__in=copied) & parts) | (new & parts)).order_by()
    return list(rows.values_list("pk", flat=True))


def _copied(index: TextIndex, term: str) -> list[int] | None:
    """The ids of those who may have the term; None: they are many, a page of them is met soon."""
    if is_frequent(index, term):
        return None
    found = candidates(index, term, most=MOST + 1)
    return found if len(found) <= MOST else None


def _parts(fields: Collection[str], term: str) -> Q:
    found = Q(pk__in=[])
    for name in fields:
        found |= Q(**{f"{name}__icontains": term})
    return found


def _newest(rows: QuerySet, model: type[Model]) -> QuerySet:
    """By a range of the index on the time: of a subquery PostgreSQL might take the parts first."""
    moments = model._default_manager.order_by("-created_at", "-pk").values_list("created_at")
    oldest = moments[BOUND : BOUND + 1].first()
    return rows.filter(created_at__gte=oldest[0]) if oldest else rows
