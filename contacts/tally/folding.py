"""Adds up what is over: rows that the database wrote of closed contacts, and decisions and leads
that cannot become more any more. The clock of the service does it, every few seconds.

Whoever adds up holds a mark, so that there is one at a time. Nobody else waits for it: who closes a
contact only adds a row, and who reads sees everything as of one moment.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date
from functools import partial
from typing import TypeVar

from django.db import transaction
from django.db.models import Aggregate, Count, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from contacts.models import DecisionRecord
from contacts.tally import marks
from contacts.tally.models import ContactTally, DrawTally, Mark
from contacts.tally.reading import created_within
from contacts.tally.spans import Span, day_after, month_after
from leads.models import Lead

Tally = TypeVar("Tally", ContactTally, DrawTally)
# By source and day.
Days = Collection[tuple[int, date]]

# Fewer rows than that are as quickly read as their sum, and to write that costs something, too.
LEAST = 1_000
# So many are added up in one transaction.
CONTACTS_AT_ONCE, DRAWS_AT_ONCE, LEADS_AT_ONCE = 20_000, 20_000, 500_000


def keep_up(*, least: int = LEAST, seconds: float = math.inf) -> None:
    """Add up all that can be, where it is at least so many rows; after so many seconds nothing more
    is begun. Several at once do no more than one.
    """
    steps = (_fold_contacts, _count_draws, _count_leads)
    in_turns([partial(step, least) for step in steps], seconds=seconds)


def in_turns(steps: Iterable[Callable[[], int]], *, seconds: float) -> None:
    """Do each step until it does nothing more, one after the other, so that none keeps the others
    from their turn for as long as there is much to do; begin none after so many seconds.
    """
    end, left = time.monotonic() + seconds, list(steps)
    while left:
        for step in list(left):
            if time.monotonic() > end:
                return
            if not step():
                left.remove(step)


def _fold_contacts(least: int) -> int:
    fresh = ContactTally.objects.filter(span=Span.FRESH).order_by()
    if len(fresh.values_list("pk")[:least]) < least:
        return 0
    with transaction.atomic():
        if marks.lock_if_free(marks.CONTACTS) is None:
            return 0
        rows = list(fresh.values_list("pk", "source_id", "start")[:CONTACTS_AT_ONCE])
        fresh.filter(pk__in=[pk for pk, *_ in rows]).update(span=Span.DAY)
        add_up(ContactTally, {(source_id, day) for _, source_id, day in rows if day})
    return len(rows)


def _count_draws(least: int) -> int:
    records = DecisionRecord.objects.order_by()

    def count(mark: Mark, end: int) -> None:
        rows = draws_by_day(records.filter(pk__gt=mark.up_to, pk__lte=end))
        DrawTally.objects.bulk_create(rows)
        add_up(DrawTally, {(row.source_id, row.start) for row in rows if row.start})

    return marks.advance(marks.DRAWS, records, count, least=least, at_once=DRAWS_AT_ONCE)


def _count_leads(least: int) -> int:
    leads = Lead.objects.order_by()

    def count(mark: Mark, end: int) -> None:
        mark.count += leads.filter(pk__gt=mark.up_to, pk__lte=end).count()

    return marks.advance(marks.LEADS, leads, count, least=least, at_once=LEADS_AT_ONCE)


def draws_by_day(records: QuerySet[DecisionRecord]) -> list[DrawTally]:
    """The weighted draws among the records, as rows that are not in the database yet."""
    grouped = (
        records.exclude(odds="")
        .order_by()
        .values_list("source", TruncDate("created_at", tzinfo=UTC), "operator_id", "odds")
        .annotate(total=Count("pk"), newest=Max("pk"))
    )
    names = ("source_id", "start", "operator_id", "odds", "count", "latest")
    return [DrawTally(span=Span.DAY, **dict(zip(names, row, strict=True))) for row in grouped]


def count_draws_anew(days: Days) -> None:
    """Of decisions that have been counted; whoever deletes some of them holds the mark."""
    up_to = marks.up_to(marks.DRAWS)
    for source_id, day in days:
        DrawTally.objects.filter(span=Span.DAY, source_id=source_id, start=day).delete()
        created = created_within(day, day_after(day))
        records = DecisionRecord.objects.filter(created, source=source_id, pk__lte=up_to)
        DrawTally.objects.bulk_create(draws_by_day(records))
    add_up(DrawTally, days)


def add_up(model: type[Tally], days: Days) -> None:
    """Make the rows of these days one for each operator (and odds), and those of their months and
    of all time the sums of them.
    """
    by_start: dict[Span, defaultdict[date, set[int]]]
    by_start = {Span.DAY: defaultdict(set), Span.MONTH: defaultdict(set)}
    for source_id, day in days:
        by_start[Span.DAY][day].add(source_id)
        by_start[Span.MONTH][day.replace(day=1)].add(source_id)
    for day, sources in by_start[Span.DAY].items():
        _replace(model, Span.DAY, day, sources, Q(span=Span.DAY, start=day))
    for month, sources in by_start[Span.MONTH].items():
        whole = Q(span=Span.DAY, start__gte=month)
        if end := month_after(month):
            whole &= Q(start__lt=end)
        _replace(model, Span.MONTH, month, sources, whole)
    all_sources = {source_id for source_id, _ in days}
    _replace(model, Span.EVER, None, all_sources, Q(span=Span.MONTH))


def _replace(
    model: type[Tally], span: Span, start: date | None, sources: Collection[int], parts: Q
) -> None:
    """Let the rows of the span be the sums of the parts."""
    keys: list[str] = ["source_id", "operator_id"]
    sums: dict[str, Aggregate] = {"total": Sum("count")}
    if model is DrawTally:
        keys.append("odds")
        sums["newest"] = Max("latest")
    found = model.objects.filter(parts, source_id__in=sources).order_by()
    rows = list(found.values(*keys).annotate(**sums))
    model.objects.filter(span=span, start=start, source_id__in=sources).delete()
    names = {"total": "count", "newest": "latest"}
    model.objects.bulk_create(
        model(span=span, start=start, **{names.get(name, name): row[name] for name in row})
        for row in rows
        if row["total"]
    )
