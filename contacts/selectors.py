"""Reads of contacts that several modules share."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from contacts.distribution import Candidate
from contacts.models import WAITING, Contact, Load, Message
from crm_project.statements import Query
from leads.models import Lead
from operators.models import Operator, begins_later, is_within
from sources.models import Assignment, Source


def open_contacts_of(operator: str) -> Coalesce:
    """The number of open contacts, over all sources, of the operator whom the expression names."""
    kept = Load.objects.filter(operator=OuterRef(operator))
    return Coalesce(Subquery(kept.values("open_contacts")), 0)


def conversation(contact: Contact, *, most: int) -> list[Message]:
    """What the lead wrote, oldest first: what made the contact, without an id, unless that was
    empty, and then the newest of the further messages, at most so many.
    """
    sent_at = contact.created_at
    first = Message(contact=contact, text=contact.message, sent_at=sent_at, created_at=sent_at)
    further = contact.messages.order_by("-sent_at", "-pk")[:most]
    return [*([first] if contact.message else []), *reversed(further)]


def further_messages() -> Coalesce:
    """How many there are of the contact in an outer query."""
    theirs = Message.objects.filter(contact=OuterRef("pk")).order_by().values("contact")
    return Coalesce(Subquery(theirs.annotate(count=Count("pk")).values("count")), 0)


def with_load(operators: QuerySet[Operator]) -> QuerySet[Operator]:
    """Operators with their `current_load`."""
    return operators.annotate(current_load=open_contacts_of("pk"))


class Served(NamedTuple):
    """That somebody serves a source: does that hand out by itself, and does somebody wait there?"""

    source_id: int
    by: Candidate
    hands_out: bool
    has_queue: bool


def who_serves(source_ids: Collection[int], *, now: datetime) -> Iterator[Served]:
    """By whom the sources are served, in order of operators."""
    queue = Contact.objects.filter(WAITING, source=OuterRef("source"))
    rows = (
        Assignment.objects.filter(source__in=source_ids)
        .annotate(has_queue=Exists(queue))
        .order_by("operator")
        .values_list(*_OF_OPERATOR, "source", "source__auto_assign_waiting", "has_queue")
    )
    for row in rows:
        source_id, hands_out, has_queue = row[len(_OF_OPERATOR) :]
        yield Served(source_id, _candidate(row, now), hands_out, has_queue)


class Look(NamedTuple):
    """A source, who serves it, in order of ids, does it hand out by itself, and does somebody wait
    there whose turn comes before any newcomer's, as of one moment.
    """

    source: Source
    operators: list[Candidate]
    hands_out: bool
    in_turn: bool


def look_at_source(*, code: str | None = None, pk: int | None = None, now: datetime) -> Look | None:
    """At the source of this code, else of this id; None: nobody serves it, or it is not there."""
    return _look(_by_id.rows(pk) if code is None else _by_code.rows(code), now)


def look_at_one(source_id: int, operator_id: int, *, now: datetime) -> Look | None:
    """As if nobody else served the source; None: this operator does not."""
    return _look(_one.rows(source_id, operator_id), now)


# What an arrival asks of the source: each operator's row has it.
_OF_SOURCE = ["id", "code", "is_active", "auto_assign_waiting", "sticky", "strategy"]
_OF_OPERATOR = [
    "operator",
    "operator__name",
    "weight",
    "operator__load__open_contacts",
    "operator__max_active_contacts",
    "operator__is_active",
    "operator__shift_starts_at",
    "operator__shift_ends_at",
]


def _look(rows: list[tuple[Any, ...]], now: datetime) -> Look | None:
    if not rows:
        return None
    *of_source, has_queue = rows[0][len(_OF_OPERATOR) :]
    source = Source.from_db(DEFAULT_DB_ALIAS, _OF_SOURCE, of_source)
    hands_out = source.auto_assign_waiting
    # The database would plan a sort for each arrival.
    operators = sorted((_candidate(row, now) for row in rows), key=lambda each: each.operator_id)
    return Look(source, operators, hands_out, hands_out and has_queue)


def _candidate(row: tuple[Any, ...], now: datetime) -> Candidate:
    pk, name, weight, load, limit, is_active, starts, ends = row[: len(_OF_OPERATOR)]
    on_shift, back_at = is_within(starts, ends, now), begins_later(starts, now)
    return Candidate(pk, name, weight, load or 0, limit, bool(is_active), on_shift, back_at)


def _columns(queue: QuerySet[Contact], **which: Any) -> QuerySet[Assignment, Any]:
    of_source = [f"source__{name}" for name in _OF_SOURCE]
    found = Assignment.objects.filter(**which).annotate(has_queue=Exists(queue.filter(WAITING)))
    return found.order_by().values_list(*_OF_OPERATOR, *of_source, "has_queue")


_by_id = Query(lambda pk: _columns(Contact.objects.filter(source=pk), source=pk), -1)
_by_code = Query(
    lambda code: _columns(Contact.objects.filter(source__code=code), source__code=code), "?"
)
_one = Query(
    lambda pk, operator: _columns(Contact.objects.filter(source=pk), source=pk, operator=operator),
    -1,
    -2,
)


def queues(sources: QuerySet[Source], *, switched_off: bool = False) -> frozenset[int]:
    """Those of the sources where somebody waits to be handed out by itself; with `switched_off`
    also where `auto_assign_waiting` is off.
    """
    found = sources.filter(Exists(Contact.objects.filter(WAITING, source=OuterRef("pk"))))
    if not switched_off:
        found = found.filter(auto_assign_waiting=True)
    return frozenset(found.order_by().values_list("pk", flat=True))


def queues_of(operators: Collection[int]) -> frozenset[int]:
    """The queues from which one of these operators could take a contact."""
    if not operators:
        return frozenset()
    return queues(Source.objects.filter(assignments__operator__in=operators))


def count_contacts(lead_ids: Collection[int]) -> dict[int, int]:
    """How many contacts each of the leads has; one without any is left out."""
    counted = Contact.objects.filter(lead__in=lead_ids).order_by().values_list("lead")
    return dict(counted.annotate(count=Count("pk")))


class Latest(NamedTuple):
    """A lead's latest contact that has an operator; of two, the later one is the greater.

    One that is not in the database yet has the id `inf`.
    """

    created_at: datetime
    contact_id: float
    operator_id: int


def latest_of_leads(lead_ids: Iterable[int]) -> dict[int, Latest]:
    """Each lead's latest contact, in whatever source, that has an operator; no lead without."""
    theirs = Contact.objects.filter(lead=OuterRef("pk"), operator__isnull=False)
    newest = theirs.order_by("-created_at", "-pk").values("pk")[:1]
    leads = Lead.objects.filter(pk__in=lead_ids).annotate(latest=Subquery(newest))
    latest = Contact.objects.filter(pk__in=leads.values("latest"), operator__isnull=False)
    return {
        each.lead_id: Latest(each.created_at, each.pk, each.operator_id)
        for each in latest.only("lead", "created_at", "operator")
        if each.operator_id
    }
