"""Whether the tallies say what is there."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from contacts.events.triggers import missing as missing_for_events
from contacts.models import Contact, DecisionRecord
from contacts.tally import marks
from contacts.tally.models import ContactTally, DrawTally, Mark
from contacts.tally.reading import created_within
from contacts.tally.spans import Span, month_after
from contacts.tally.triggers import missing
from leads.models import Lead
from sources.models import Source


def drift(*, progress: Callable[[int], None] = lambda done: None) -> Iterator[str]:
    """What is wrong, in words, of all there is: reads every contact and every decision.

    `progress` is told how many sources have been looked at. To be read as of one moment.
    """
    yield from _of_triggers()
    yield from _of_leads()
    sources = Source.objects.order_by("pk").values_list("pk", flat=True)
    for done, source_id in enumerate(sources, start=1):
        yield from _of_source(source_id, Q(), Q())
        progress(done)


def drift_of_some() -> Iterator[str]:
    """The same of one source and one of its months, chosen by lot, to be asked again and again."""
    yield from _of_triggers()
    months = ContactTally.objects.filter(span=Span.MONTH).order_by()
    sources = list(months.values_list("source_id", flat=True).distinct())
    if sources:
        source_id = random.choice(sources)
        starts = months.filter(source_id=source_id).values_list("start", flat=True).distinct()
        start = random.choice([start for start in starts if start])
        yield from _of_source(source_id, *_month(start))


def _of_triggers() -> Iterator[str]:
    yield from (f"trigger {name} is missing" for name in [*missing(), *missing_for_events()])


def _of_leads() -> Iterator[str]:
    mark = Mark.objects.filter(name=marks.LEADS).first()
    if mark and (there := Lead.objects.filter(pk__lte=mark.up_to).count()) != mark.count:
        yield f"leads up to {mark.up_to} ({mark.count} counted, {there} there)"


def _of_source(source_id: int, created: Q, days: Q) -> Iterator[str]:
    """`created` and `days` are the same period of contacts and of rows of a tally."""
    closed = Contact.objects.filter(created, source=source_id, closed_at__isnull=False)
    records = DecisionRecord.objects.filter(created, source=source_id).exclude(odds="")
    drawn = records.filter(pk__lte=marks.up_to(marks.DRAWS))
    day = TruncDate("created_at", tzinfo=UTC)
    for model, there, keys in (
        (ContactTally, closed, ["operator_id"]),
        (DrawTally, drawn, ["operator_id", "odds"]),
    ):
        rows = model.objects.filter(days, source_id=source_id).order_by()
        by_day = _sums(rows.filter(span__in=[Span.DAY, Span.FRESH]), "start", *keys)
        counts = there.order_by().values_list(day, *keys).annotate(count=Count("pk"))
        counted = Counter({tuple(key): count for *key, count in counts})
        name = f"{model._meta.db_table} of source {source_id}"
        yield from _differences(name, by_day, counted)
        yield from _of_sums(name, model, source_id, keys, days)


def _of_sums(
    name: str, model: type[ContactTally | DrawTally], source_id: int, keys: list[str], days: Q
) -> Iterator[str]:
    """Are the rows of months the sums of those of days, and those of all time of months?"""
    rows = model.objects.filter(source_id=source_id).order_by()
    months = rows.filter(days, span=Span.MONTH)
    of_days: Counter[Any] = Counter()
    for (start, *key), count in _sums(rows.filter(days, span=Span.DAY), "start", *keys).items():
        of_days[start.replace(day=1), *key] += count
    yield from _differences(f"{name}, by months", _sums(months, "start", *keys), of_days)
    ever, of_months = rows.filter(span=Span.EVER), rows.filter(span=Span.MONTH)
    yield from _differences(f"{name}, ever", _sums(ever, *keys), _sums(of_months, *keys))


def _sums(rows: Any, *keys: str) -> Counter[Any]:
    found = rows.values_list(*keys).annotate(total=Sum("count"))
    return Counter({tuple(key): total for *key, total in found})


def _differences(name: str, counted: Counter[Any], there: Counter[Any]) -> Iterator[str]:
    for key in counted.keys() | there.keys():
        if counted[key] != there[key]:
            which = " ".join(str(each) for each in key)
            yield f"{name}: {which} ({counted[key]} counted, {there[key]} there)"


def _month(start: date) -> tuple[Q, Q]:
    """It, as the time of something and as the days of a tally."""
    end = month_after(start)
    days = Q(start__gte=start)
    return created_within(start, end), days & Q(start__lt=end) if end else days
