"""How many contacts came, and how many were closed, by hour and by day."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

from django.core.cache import cache
from django.db.models import Count, Value
from django.utils import timezone

from contacts.models import Contact

Event = Literal["created_at", "closed_at"]
# A day that is over changes no more, save by a transaction that was long in committing or by
# an import of old contacts.
PAST_DAY_SECONDS = 10 * 60


class Span(NamedTuple):
    """Half-open: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime


def last_hours(now: datetime, count: int) -> list[Span]:
    """The hours up to the present one, by the clocks of the service, oldest first."""
    present = timezone.localtime(now).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    hour = timedelta(hours=1)
    return [Span(present - hour * ago, present - hour * (ago - 1)) for ago in range(count)][::-1]


def last_days(now: datetime, count: int) -> list[Span]:
    """The days up to today, by the calendar of the service, oldest first."""
    today = timezone.localtime(now).date()
    midnights = [
        timezone.make_aware(datetime.combine(today - timedelta(days=ago), time.min))
        for ago in range(count - 1, -2, -1)
    ]
    return [Span(*pair) for pair in pairwise(midnights)]


def counted(event: Event, spans: Sequence[Span]) -> list[int]:
    """How many contacts were created or closed in each of the spans: one statement.

    Counts over ranges of an index: truncating every moment to its day takes many times as long,
    on SQLite by a call into Python each.
    """
    parts = [
        Contact.objects.filter(**{f"{event}__gte": span.start, f"{event}__lt": span.end})
        .order_by()
        .annotate(place=Value(place))
        .values("place")
        .annotate(count=Count("*"))
        .values_list("place", "count")
        for place, span in enumerate(spans)
    ]
    found = dict(parts[0].union(*parts[1:], all=True))
    return [found.get(place, 0) for place in range(len(spans))]


def by_day(event: Event, days: Sequence[Span]) -> list[int]:
    """The same for days up to today; those before come from the cache."""
    *past, today = days
    keys = {span: f"stats.days.{event}.{span.start.isoformat()}" for span in past}
    known = cache.get_many(keys.values())
    unknown = [span for span in past if keys[span] not in known]
    *fresh, present = counted(event, [*unknown, today])
    found = {keys[span]: count for span, count in zip(unknown, fresh, strict=True)}
    cache.set_many(found, PAST_DAY_SECONDS)
    known |= found
    return [known[keys[span]] for span in past] + [present]
