"""How a period is put together from days, months and all time. Knows no Django.

Days and months are those of UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum


class Span(StrEnum):
    """Over what a row of a tally counts. `fresh`: one day too, but not added to the others yet."""

    FRESH = "fresh"
    DAY = "day"
    MONTH = "month"
    EVER = "ever"


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of a span that start from `first` on and before `end`; None: without end there."""

    span: Span
    first: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """The rows that together count a period, and the `edges` of it, half-open, less than a day
    each unless they are all of it, that no row counts alone.
    """

    pieces: list[Piece] = field(default_factory=list)
    edges: list[tuple[datetime, datetime]] = field(default_factory=list)


def cover(since: datetime | None, until: datetime | None) -> Cover:
    """What counts all that was created from `since` on and before `until`; None: without end."""
    if since is None and until is None:
        return Cover([Piece(Span.FRESH), Piece(Span.EVER)])
    first = since and _day_from(since)
    end = until and until.astimezone(UTC).date()
    if since and until and first and end and first >= end:
        return Cover(edges=[(since, until)] if since < until else [])
    edges = []
    if since and first and since < midnight(first):
        edges.append((since, midnight(first)))
    if until and end and midnight(end) < until:
        edges.append((midnight(end), until))
    return Cover([Piece(Span.FRESH, first, end), *_by_months(first, end)], edges)


def _by_months(first: date | None, end: date | None) -> Iterator[Piece]:
    month_first, month_end = first and _month_from(first), end and end.replace(day=1)
    if month_first and month_end and month_first >= month_end:
        yield Piece(Span.DAY, first, end)
        return
    yield Piece(Span.MONTH, month_first, month_end)
    if first and first != month_first:
        yield Piece(Span.DAY, first, month_first)
    if end and end != month_end:
        yield Piece(Span.DAY, month_end, end)


def day_after(day: date) -> date | None:
    """None: it is the last of the calendar."""
    return None if day == date.max else day + timedelta(days=1)


def month_after(day: date) -> date | None:
    """The first day of the month after that of the day; None: it is the last of the calendar."""
    if (day.year, day.month) == (date.max.year, date.max.month):
        return None
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _day_from(moment: datetime) -> date:
    """The first day that begins then or later; the last of the calendar where none does."""
    day = moment.astimezone(UTC).date()
    return day if moment == midnight(day) else day_after(day) or day


def _month_from(day: date) -> date:
    """The first day of the first month that begins then or later; likewise."""
    return day if day.day == 1 else month_after(day) or date.max
