from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from stats.timeline import by_day, counted, last_days, last_hours

NOW = datetime(2026, 11, 26, 19, 40, tzinfo=UTC)  # 22:40 in Moscow


@pytest.fixture(autouse=True)
def _no_cache(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


def test_hours_and_days_follow_each_other_without_a_gap_up_to_now():
    for spans in (last_hours(NOW, 24), last_days(NOW, 14)):
        assert all(one.end == next_.start for one, next_ in pairwise(spans))
        assert spans[-1].start <= NOW < spans[-1].end
    assert len(last_hours(NOW, 24)) == 24
    assert len(last_days(NOW, 14)) == 14


def test_days_begin_at_midnight_and_hours_at_the_full_hour_of_the_service():
    assert last_days(NOW, 2)[0].start == datetime(2026, 11, 24, 21, tzinfo=UTC)
    with timezone.override("Asia/Kolkata"):
        assert last_hours(NOW, 1)[0].start == datetime(2026, 11, 26, 19, 30, tzinfo=UTC)


def test_a_day_has_as_many_hours_as_the_clocks_let_it_have():
    with timezone.override("Europe/Berlin"):
        days = last_days(datetime(2026, 10, 26, 12, tzinfo=UTC), 2)
        # Within one zone, datetimes are subtracted as the clocks on the wall show them.
        lengths = [day.end.astimezone(UTC) - day.start.astimezone(UTC) for day in days]
        assert lengths == [timedelta(hours=25), timedelta(hours=24)]
        hours = last_hours(datetime(2026, 10, 25, 12, tzinfo=UTC), 24)
        assert {hour.end - hour.start for hour in hours} == {timedelta(hours=1)}


@pytest.mark.django_db
def test_each_contact_counts_where_it_came_and_where_it_was_closed():
    hours = last_hours(NOW, 3)
    for minutes in (0, 39, 40, 99, 100, 101, 160, 161):
        ContactFactory(created_at=NOW - timedelta(minutes=minutes))
    ContactFactory(status="closed", created_at=NOW - timedelta(days=9), closed_at=NOW)
    assert counted("created_at", hours) == [2, 2, 3]
    assert counted("closed_at", hours) == [0, 0, 1]
    assert counted("created_at", hours[:1]) == [2]


@pytest.mark.django_db
def test_days_that_are_over_come_from_the_cache_and_today_does_not(
    settings, django_assert_num_queries
):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "days",
        }
    }
    yesterday = NOW - timedelta(days=1)
    ContactFactory(created_at=yesterday)
    days = last_days(NOW, 3)
    assert by_day("created_at", days) == [0, 1, 0]
    Contact.objects.update(created_at=NOW)
    ContactFactory(created_at=yesterday)
    with django_assert_num_queries(1):
        assert by_day("created_at", days) == [0, 1, 1]
