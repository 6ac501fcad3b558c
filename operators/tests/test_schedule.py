"""When somebody works, against a clock that is looked at minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from operators.schedule import DaysOff, Shift, Span, working_span
from operators.tests.wall_clock import works

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BERLIN, MOSCOW = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Moscow")
# Among them a change of half an hour, changes at midnight, and days that never were.
ZONES = ["Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
ZONES += ["Africa/Cairo", "America/Santiago", "Africa/Casablanca", "Asia/Kathmandu", "UTC"]
OFFICE = [Shift(weekday, time(9), time(18)) for weekday in range(5)]


minutes = st.integers(0, 1439).map(lambda each: time(each // 60, each % 60))
shifts = st.builds(Shift, st.integers(0, 6), minutes, minutes | st.just(time(0)))
wholes = st.just([Shift(weekday, time(0), time(0)) for weekday in range(7)])


def days_off(now):
    return st.lists(
        st.builds(
            lambda first, length: DaysOff(now.date() + first * DAY, now.date() + length * DAY),
            st.integers(-3, 5),
            st.integers(-3, 12),
        ),
        max_size=3,
    )


moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(
    lambda each: each.replace(second=0, microsecond=0, tzinfo=UTC)
)
# Around the changes of 2026 in Berlin, New York and on Lord Howe Island.
changes = st.sampled_from([datetime(2026, 3, 8), datetime(2026, 3, 29), datetime(2026, 10, 25)])
near_changes = st.builds(
    lambda day, before: day.replace(tzinfo=UTC) + 3 * 60 * MINUTE - before * MINUTE,
    changes,
    st.integers(0, 3000),
)


@given(
    st.lists(shifts, max_size=6) | wholes,
    (moments | near_changes).flatmap(lambda now: st.tuples(st.just(now), days_off(now))),
    st.sampled_from(ZONES).map(ZoneInfo),
)
@example([Shift(5, time(22), time(2, 30))], (datetime(2026, 10, 24, 21, tzinfo=UTC), []), BERLIN)
@example([Shift(6, time(2, 15), time(2, 45))], (datetime(2026, 3, 28, tzinfo=UTC), []), BERLIN)
def test_the_span_is_what_the_clock_on_the_wall_says(shifts, moment, zone):
    now, off = moment
    span = working_span(shifts, off, zone=zone, now=now)
    last = max([now.date(), *(each.last for each in off)])
    beyond = datetime.combine(last, time(), UTC) + 9 * DAY
    starts, ends = span.starts or now - 7 * DAY, span.ends or beyond
    assert now < ends
    tick = min(now, starts)
    while tick <= ends:
        expected = starts <= tick and (tick < ends or span.ends is None)
        assert works(tick, shifts, off, zone) == expected, tick
        tick += MINUTE
    if span.starts:
        assert not works(span.starts - MINUTE, shifts, off, zone)


def test_without_shifts_and_days_off_somebody_always_works():
    assert working_span([], [], zone=MOSCOW, now=datetime.now(UTC)) == Span(None, None)


def test_all_week_round_is_always_up_to_a_day_off_and_for_ever_after_it():
    whole = [Shift(weekday, time(0), time(0)) for weekday in range(7)]
    now, far = datetime(2026, 1, 1, 12, tzinfo=UTC), [DaysOff(date(2029, 5, 1), date(2029, 5, 3))]
    before = Span(None, datetime(2029, 5, 1, tzinfo=MOSCOW))
    after = Span(datetime(2029, 5, 4, tzinfo=MOSCOW), None)
    assert working_span(whole, far, zone=MOSCOW, now=now) == before
    assert working_span([], far, zone=MOSCOW, now=before.ends) == after


@pytest.mark.parametrize(
    ("now", "starts", "ends"),
    [
        ((2026, 11, 26, 8, 59, 59), (26, 9), (26, 18)),
        ((2026, 11, 26, 9), (26, 9), (26, 18)),
        ((2026, 11, 26, 17, 59, 59), (26, 9), (26, 18)),
        ((2026, 11, 26, 18), (27, 9), (27, 18)),
        ((2026, 11, 27, 18), (30, 9), (30, 18)),  # over the week-end
    ],
)
def test_an_office_keeps_its_hours_to_the_second(now, starts, ends):
    span = working_span(OFFICE, [], zone=MOSCOW, now=datetime(*now, tzinfo=MOSCOW))
    assert span == tuple(datetime(2026, 11, *each, tzinfo=MOSCOW) for each in (starts, ends))


def test_a_night_shift_goes_on_after_midnight_and_a_day_off_cuts_it_there():
    night = [Shift(weekday, time(22), time(6)) for weekday in range(7)]
    now = datetime(2026, 11, 26, 23, tzinfo=MOSCOW)
    assert working_span(night, [], zone=MOSCOW, now=now).ends == now + timedelta(hours=7)
    off = [DaysOff(date(2026, 11, 27), date(2026, 11, 27))]
    assert working_span(night, off, zone=MOSCOW, now=now).ends == now + timedelta(hours=1)


def test_after_a_long_absence_the_next_shift_is_found():
    off = [DaysOff(date(2026, 1, 1), date(2027, 3, 7))]
    span = working_span(OFFICE, off, zone=MOSCOW, now=datetime(2026, 1, 2, tzinfo=UTC))
    assert span.starts == datetime(2027, 3, 8, 9, tzinfo=MOSCOW)


def test_the_hour_that_comes_twice_is_worked_twice_and_the_one_left_out_is_not():
    night = [Shift(weekday, time(0), time(6)) for weekday in range(7)]
    autumn = working_span(night, [], zone=BERLIN, now=datetime(2026, 10, 25, tzinfo=UTC))
    spring = working_span(night, [], zone=BERLIN, now=datetime(2026, 3, 29, tzinfo=UTC))
    assert autumn.ends - autumn.starts == timedelta(hours=7)
    assert spring.ends - spring.starts == timedelta(hours=5)
