"""When somebody works: weekly shifts and days off in, a span of time out. Knows no Django.

Somebody works whenever the clock on the wall, in his or her time zone, shows a time within a
shift on a day that is not off. So a change to or from summer time makes a shift longer or shorter,
and what it skips is not worked.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
# A week and a day: where no work is off, a gap comes within it or never.
CYCLE = 8 * DAY

Piece = tuple[timedelta, timedelta]


class Shift(NamedTuple):
    """From `starts` to `ends` on each such day, 0 being Monday; an end that is not later is on the
    day after.
    """

    weekday: int
    starts: time
    ends: time


class DaysOff(NamedTuple):
    """Whole days of the calendar, both named ones included."""

    first: date
    last: date


class Span(NamedTuple):
    """Half-open. `starts` None: since ever, `ends` None: for ever."""

    starts: datetime | None = None
    ends: datetime | None = None


def working_span(
    shifts: Sequence[Shift], days_off: Sequence[DaysOff], *, zone: ZoneInfo, now: datetime
) -> Span:
    """The span in which somebody works now or, if not now, next. Without shifts every day is
    worked from midnight to midnight.

    Days off that ended more than a week ago make no difference.
    """
    since = now.astimezone(UTC).replace(microsecond=0) - CYCLE
    last_off = max((each.last for each in days_off), default=date.min)
    beyond = datetime.combine(max(last_off, now.date()) + CYCLE + DAY, time.min, UTC)
    pieces = _worked(_week(shifts), days_off, zone, since, beyond)
    for starts, ends in _joined(pieces):
        if ends > now:
            return Span(None if starts == since else starts, None if ends == beyond else ends)
    raise AssertionError("a week without days off has a shift")


def _week(shifts: Sequence[Shift]) -> list[list[Piece]]:
    """What is worked on each weekday, counted from its midnight."""
    if not shifts:
        return [[(timedelta(), DAY)]] * 7
    week: list[list[Piece]] = [[] for _ in range(7)]
    for weekday, starts, ends in shifts:
        begin, end = _since_midnight(starts), _since_midnight(ends)
        if end > begin:
            week[weekday].append((begin, end))
        else:
            week[weekday].append((begin, DAY))
            week[(weekday + 1) % 7].append((timedelta(), end))
    return [sorted(day) for day in week]


def _since_midnight(moment: time) -> timedelta:
    return datetime.combine(date.min, moment) - datetime.min


def _worked(
    week: list[list[Piece]],
    days_off: Sequence[DaysOff],
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
) -> Iterator[tuple[datetime, datetime]]:
    """What is worked from `since` to `until`, in order of its beginnings."""
    for begin, end, offset in _offsets(zone, since, until):
        first, last = (begin + offset).date(), (end + offset).date()
        for number in range((last - first).days + 1):
            day = first + number * DAY
            if any(off.first <= day <= off.last for off in days_off):
                continue
            midnight = datetime.combine(day, time.min, UTC) - offset
            for starts, ends in week[day.weekday()]:
                yield max(midnight + starts, begin), min(midnight + ends, end)


def _offsets(
    zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time cut into parts in which the zone's offset from UTC stays the same."""
    while since < until:
        offset, end = _offset(zone, since), min(since + DAY, until)
        if _offset(zone, end) != offset:
            same = since
            while end - same > timedelta(seconds=1):
                middle = (same + (end - same) / 2).replace(microsecond=0)
                same, end = (middle, end) if _offset(zone, middle) == offset else (same, middle)
        yield since, end, offset
        since = end


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _joined(pieces: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """The same without empty ones, and those that touch or overlap as one."""
    known: tuple[datetime, datetime] | None = None
    for starts, ends in pieces:
        if starts >= ends:
            continue
        if known and starts <= known[1]:
            known = known[0], max(known[1], ends)
        else:
            if known:
                yield known
            known = starts, ends
    if known:
        yield known
