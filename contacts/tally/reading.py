"""Figures over everything there is, from what has been added up and the little that has not.

Exact where all is read as of one moment (`crm_project.moments`).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from django.db.models import Count, Max, Q, QuerySet, Sum

from contacts.models import Contact, DecisionRecord
from contacts.tally import marks
from contacts.tally.models import ContactTally, DrawTally, Mark
from contacts.tally.spans import Cover, cover, midnight
from leads.models import Lead


class Draws(NamedTuple):
    """Draws of a source made with the same odds that fell on the same operator; `latest` is the id
    of the last decision among them.
    """

    source_id: int
    odds: str
    operator_id: int
    times: int
    latest: int


def closed_contacts(
    source_id: int | None = None, *, since: datetime | None = None, until: datetime | None = None
) -> Counter[int | None]:
    """How many closed contacts each operator (None: nobody) has, of those created in the period;
    of all sources where none is named.
    """
    parts = cover(since, until)
    rows = ContactTally.objects.filter(_within(parts))
    edges = Contact.objects.filter(_created_at(parts), closed_at__isnull=False)
    if source_id is not None:
        rows, edges = rows.filter(source_id=source_id), edges.filter(source=source_id)
    found: Counter[int | None] = Counter()
    for operator_id, count in rows.order_by().values_list("operator_id").annotate(Sum("count")):
        found[operator_id] += count
    if parts.edges:
        for operator_id, count in edges.order_by().values_list("operator").annotate(Count("pk")):
            found[operator_id] += count
    return Counter({pk: count for pk, count in found.items() if count})


def draws_of(
    source_id: int, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Draws]:
    """The weighted draws of a source among the decisions of the period."""
    parts, up_to = cover(since, until), marks.up_to(marks.DRAWS)
    rows = DrawTally.objects.filter(_within(parts), source_id=source_id).order_by()
    sums = rows.values_list("source_id", "odds", "operator_id")
    yield from map(Draws._make, sums.annotate(total=Sum("count"), newest=Max("latest")))
    records = DecisionRecord.objects.filter(source=source_id)
    later = records.filter(pk__gt=up_to)
    if since:
        later = later.filter(created_at__gte=since)
    if until:
        later = later.filter(created_at__lt=until)
    yield from draws_among(later)
    if parts.edges:
        yield from draws_among(records.filter(_created_at(parts), pk__lte=up_to))


def draws_among(records: QuerySet[DecisionRecord]) -> Iterator[Draws]:
    """The weighted draws among the records, by sources, odds and operators."""
    grouped = records.exclude(odds="").order_by().values_list("source", "odds", "operator_id")
    yield from map(Draws._make, grouped.annotate(count=Count("pk"), latest=Max("pk")))


def leads_there_are() -> int:
    """How many leads there are, merged ones too."""
    mark = Mark.objects.filter(name=marks.LEADS).first() or Mark()
    return mark.count + Lead.objects.filter(pk__gt=mark.up_to).count()


def created_within(first: date, end: date | None) -> Q:
    """What was created from the first day of UTC on and before the end; None: without end."""
    created = Q(created_at__gte=midnight(first))
    return created & Q(created_at__lt=midnight(end)) if end else created


def _within(parts: Cover) -> Q:
    """The rows of a tally that the pieces name."""
    found = Q(pk__in=[])
    for piece in parts.pieces:
        rows = Q(span=piece.span)
        if piece.first:
            rows &= Q(start__gte=piece.first)
        if piece.end:
            rows &= Q(start__lt=piece.end)
        found |= rows
    return found


def _created_at(parts: Cover) -> Q:
    """What was created at one of the edges."""
    found = Q(pk__in=[])
    for since, until in parts.edges:
        found |= Q(created_at__gte=since, created_at__lt=until)
    return found
