"""Shifts and days off on an operator's page."""

from datetime import UTC, date, datetime, time

import pytest
import time_machine
from django.contrib.auth import get_user_model

from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import owner, serve
from operators.models import DayOff, Operator, Shift
from operators.services import set_hours
from operators.tests.factories import OperatorFactory
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
EIGHT = datetime(2026, 11, 26, 5, tzinfo=UTC)  # a Thursday, in Moscow


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def rows(prefix, *forms):
    """A formset as a browser sends it; a form with an id was there before."""
    known = sum("id" in each for each in forms)
    data = {f"{prefix}-TOTAL_FORMS": len(forms), f"{prefix}-INITIAL_FORMS": known}
    for number, form in enumerate(forms):
        data |= {f"{prefix}-{number}-{name}": value for name, value in form.items()}
    return data


def save(admin, operator, *, shifts=(), days_off=(), **fields):
    form = {"name": operator.name, "is_active": "on", "max_active_contacts": 10, "time_zone": ""}
    data = form | fields | rows("assignments")
    data |= rows("shifts", *shifts) | rows("days_off", *days_off)
    path = f"{operator.pk}/change" if operator.pk else "add"
    with time_machine.travel(EIGHT, tick=False):
        return admin.post(f"/admin/operators/operator/{path}/", data)


def shift(weekday, starts, ends, **more):
    return {"weekday": weekday, "starts": starts, "ends": ends} | more


def test_what_is_written_there_decides_who_works(admin):
    source = SourceFactory()
    anna = serve(source)
    days = [{"first_day": "2026-11-26", "last_day": "", "note": "врач"}]
    response = save(admin, anna, shifts=[shift(3, "07:00", "16:00")], days_off=days)
    assert response.status_code == 302
    assert Shift.objects.get().ends == time(16)
    assert DayOff.objects.get().last_day == date(2026, 11, 26)
    anna.refresh_from_db()
    assert anna.shift_starts_at == datetime(2026, 12, 3, 4, tzinfo=UTC)


def test_one_row_may_stand_for_several_days_and_a_lower_one_for_an_exception(admin):
    anna = OperatorFactory()
    friday = shift(4, "09:00", "16:00")
    save(admin, anna, shifts=[shift("workdays", "09:00", "18:00"), friday])
    hours = [(each.weekday, each.ends.hour) for each in anna.shifts.all()]
    assert hours == [(0, 18), (1, 18), (2, 18), (3, 18), (4, 16)]
    save(admin, OperatorFactory(), shifts=[shift("daily", "22:00", "06:00")])
    assert Shift.objects.exclude(operator=anna).count() == 7


def test_a_shift_that_runs_already_takes_what_waits(admin):
    source = SourceFactory()
    anna = set_hours(serve(source), shifts=[Shift(weekday=3, starts=time(9), ends=time(18))])
    contact, row = ContactFactory(source=source), anna.shifts.get()
    save(admin, anna, shifts=[shift(3, "08:00", "18:00", id=row.pk, operator=anna.pk)])
    assert (owner(contact), anna.shifts.get().starts) == (anna, time(8))


def test_what_is_ticked_for_deletion_goes_and_the_rest_stays(admin):
    anna = OperatorFactory()
    set_hours(anna, shifts=[Shift(weekday=day, starts=time(9), ends=time(18)) for day in (1, 3)])
    first, second = anna.shifts.all()
    kept = shift(3, "09:00", "18:00", id=second.pk, operator=anna.pk)
    gone = shift(1, "09:00", "18:00", id=first.pk, operator=anna.pk, DELETE="on")
    save(admin, anna, shifts=[gone, kept])
    assert anna.shifts.get() == second


def test_a_new_operator_may_have_hours_at_once(admin):
    save(admin, Operator(name="Анна"), shifts=[shift(4, "09:00", "18:00")], time_zone="Asia/Omsk")
    anna = Operator.objects.get()
    assert anna.shift_starts_at == datetime(2026, 11, 27, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shifts": [shift(7, "09:00", "18:00")]},
        {"shifts": [shift(1, "25:00", "18:00")]},
        {"shifts": [shift(1, "09:00", "18:00"), shift(1, "09:00", "12:00")]},
        {"days_off": [{"first_day": "27.11.2026", "last_day": "26.11.2026"}]},
        {"days_off": [{"first_day": "", "last_day": "26.11.2026"}]},
        {"days_off": [{"first_day": "27.11.2026", "last_day": "26.11.9026"}]},
        {"time_zone": "Moscow"},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(admin, wrong):
    anna = OperatorFactory()
    page = save(admin, anna, **wrong)
    assert page.status_code == 200
    assert "errornote" in page.content.decode() or page.context["errors"]
    assert not Shift.objects.exists()
    assert not DayOff.objects.exists()


def test_hours_that_are_not_touched_write_nothing(admin, django_assert_max_num_queries):
    anna = OperatorFactory()
    with django_assert_max_num_queries(24) as asked:
        save(admin, anna)
    assert not [
        each for each in asked if each["sql"].startswith("UPDATE") and "shift" in each["sql"]
    ]


def test_a_stale_form_keeps_the_hours_that_somebody_else_added(admin):
    anna = set_hours(OperatorFactory(), shifts=[Shift(weekday=3, starts=time(9), ends=time(18))])
    row = anna.shifts.get()
    both = [Shift(weekday=day, starts=time(9), ends=time(18)) for day in (3, 4)]
    set_hours(anna, shifts=both)
    save(admin, anna, shifts=[shift(3, "08:00", "18:00", id=row.pk, operator=anna.pk)])
    hours = [(each.weekday, each.starts.hour) for each in anna.shifts.all()]
    assert hours == [(3, 8), (4, 9)]
