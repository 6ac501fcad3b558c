"""Working hours: outside them nobody gets anything, and what waits goes out when they begin."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils.translation import override

from contacts.clock import Ticked, tick
from contacts.distribution import Reason
from contacts.invariants import check_all
from contacts.models import Contact
from contacts.preview import serving
from contacts.selectors import with_load
from contacts.services import change_status, reassign_contact
from contacts.staffing import change_hours, change_operator
from contacts.tally.marks import CONTACTS, DRAWS, LEADS
from contacts.tally.models import Mark
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, load, owner, serve
from contacts.text_index import INDEXES
from contacts.waiting import Cause, causes
from contacts.wording import explain
from crm_project.testing.threads import at_once
from operators.models import DayOff, Operator, Shift, on_shift
from operators.services import set_hours
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

# A Thursday; Moscow is three hours ahead.
EIGHT, NINE, SIX_PM = (datetime(2026, 11, 26, hour, tzinfo=UTC) for hour in (5, 6, 15))
SECOND = timedelta(seconds=1)


def office(starts=9, ends=18, weekdays=range(5)):
    return [Shift(weekday=each, starts=time(starts), ends=time(ends)) for each in weekdays]


def off(first, last=None):
    return DayOff(first_day=first, last_day=last or first)


@pytest.fixture
def source():
    return SourceFactory()


@pytest.fixture
def anna(source):
    """She works from nine to six, Monday to Friday; it is eight on a Thursday."""
    return set_hours(serve(source, name="Анна"), shifts=office(), now=EIGHT)


def reasons(decision):
    return [skipped.reason for skipped in decision.skipped]


class TestOutsideThem:
    def test_a_contact_waits_with_the_reason(self, source, anna):
        contact, decision = arrive(source, now=EIGHT)
        assert (contact.operator, reasons(decision)) == (None, [Reason.OFF_HOURS])
        assert causes([source], now=EIGHT) == {source.pk: Cause.OFF_HOURS}

    def test_others_get_it(self, source, anna):
        other = serve(source)
        contact, decision = arrive(source, now=EIGHT)
        assert (contact.operator, reasons(decision)) == (other, [Reason.OFF_HOURS])

    def test_they_begin_and_end_to_the_second(self, source, anna):
        for now, expected in [
            (NINE - SECOND, None),
            (NINE, anna),
            (SIX_PM - SECOND, anna),
            (SIX_PM, None),
        ]:
            contact, _ = arrive(source, f"lead:{now}", now=now)
            assert contact.operator == expected, now
            change_status(contact.pk, status="closed", now=now)

    def test_a_close_hands_out_nothing(self, source, anna):
        held = ContactFactory(source=source, operator=anna)
        contact, _ = arrive(source, now=EIGHT)
        change_status(held.pk, status="closed", now=EIGHT)
        assert owner(contact) is None

    def test_reopening_goes_to_somebody_who_is_there(self, source, anna):
        other = serve(source)
        closed = ContactFactory(source=source, operator=anna, status="closed")
        assert change_status(closed.pk, status="new", now=EIGHT).operator == other

    def test_a_sticky_source_passes_over_the_latest_operator(self, anna, source):
        source.sticky = True
        ContactFactory(source=source, operator=anna, lead__external_id="lead:1")
        other = serve(source)
        assert arrive(source, now=EIGHT)[0].operator == other

    def test_open_contacts_stay_also_when_nobody_else_can_take_them(self, source, anna):
        contact = ContactFactory(source=source, operator=anna)
        assert not reassign_contact(contact.pk, now=EIGHT).moved
        assert owner(contact) == anna

    def test_a_person_may_choose_somebody_all_the_same(self, source, anna):
        contact = ContactFactory(source=source)
        assert reassign_contact(contact.pk, operator_id=anna.pk, now=EIGHT).contact.operator == anna

    def test_the_share_is_nought(self, source, anna):
        with time_machine.travel(EIGHT, tick=False):
            assert [share for _, share in serving(source)] == [0]
        with time_machine.travel(NINE, tick=False):
            assert [share for _, share in serving(source)] == [1]

    def test_the_sentence_says_until_when(self, source, anna):
        contact, decision = arrive(source, now=EIGHT)
        with override("en"):
            assert "Анна is off duty until 11/26/2026 9 a.m." in explain(contact, decision)
            # The shift has ended, the next one is not worked out yet.
            contact, decision = arrive(source, now=SIX_PM)
            assert "(Анна is off duty)" in explain(contact, decision)

    def test_whoever_works_being_full_is_the_cause_and_not_the_hours_of_others(self, source, anna):
        ContactFactory(source=source, operator=serve(source, max_active_contacts=1))
        assert causes([source], now=EIGHT) == {source.pk: Cause.ALL_FULL}

    def test_python_and_sql_agree(self, source, anna):
        always, leaving, coming = serve(source), serve(source), serve(source)
        set_hours(leaving, days_off=[off(date(2026, 11, 27))], now=EIGHT)
        set_hours(coming, days_off=[off(date(2026, 11, 26))], now=EIGHT)
        for hours in range(-48, 72):
            now = EIGHT + timedelta(hours=hours)
            found = set(Operator.objects.filter(on_shift(now)))
            assert found == {each for each in Operator.objects.all() if each.is_on_shift(now)}
            assert always in found
        anna.refresh_from_db()
        leaving.refresh_from_db()
        coming.refresh_from_db()
        assert anna.shift_starts_at
        assert anna.shift_ends_at
        assert leaving.shift_starts_at is None
        assert coming.shift_ends_at is None


@pytest.fixture
def counted():
    """Nothing is left to be added up, copied or forgotten; how many queries find that out."""
    names = (CONTACTS, DRAWS, LEADS, *(index.name for index in INDEXES))
    Mark.objects.bulk_create(Mark(name=name, up_to=10**9) for name in names)
    return 13 if connection.vendor == "postgresql" else 15


class TestTheClock:
    def test_hands_out_what_waits_when_a_shift_begins_and_not_before(self, source, anna):
        contact, _ = arrive(source, now=EIGHT)
        assert tick(now=NINE - SECOND) == Ticked(renewed=0, handed=0, late=0)
        assert tick(now=NINE) == Ticked(renewed=0, handed=1, late=0)
        assert owner(contact) == anna
        assert tick(now=NINE) == Ticked(renewed=0, handed=0, late=0)
        record = contact.decisions.get(kind="waiting")
        assert (record.actor_type, record.actor_name, record.created_at) == (
            "system",
            "clock",
            NINE,
        )

    def test_puts_the_next_shift_in_the_place_of_one_that_ended(self, source, anna):
        assert tick(now=SIX_PM - SECOND).renewed == 0
        assert tick(now=SIX_PM).renewed == 1
        anna.refresh_from_db()
        assert anna.shift_starts_at == NINE + timedelta(days=1)
        assert tick(now=SIX_PM).renewed == 0

    def test_makes_up_for_ticks_that_were_missed(self, source, anna):
        contact, _ = arrive(source, now=EIGHT)
        # The service was down from Thursday to Monday, half past nine.
        assert tick(now=NINE + timedelta(days=4, minutes=30)) == Ticked(renewed=1, handed=1, late=0)
        assert owner(contact) == anna

    def test_lets_a_queue_alone_that_is_not_to_move_by_itself(self, source, anna):
        source.auto_assign_waiting = False
        source.save()
        contact, _ = arrive(source, now=EIGHT)
        assert tick(now=NINE).handed == 0
        assert owner(contact) is None

    def test_works_in_a_few_queries_where_nothing_is_due(
        self, source, anna, counted, django_assert_num_queries
    ):
        for _ in range(20):
            full = AssignmentFactory(source=source, operator__max_active_contacts=1).operator
            ContactFactory(operator=full)
        with django_assert_num_queries(3 + counted):
            tick(now=EIGHT)
        ContactFactory(source=source)
        with django_assert_num_queries(4 + counted):
            tick(now=EIGHT)

    def test_renews_many_in_as_many_queries_as_one(
        self, source, anna, counted, django_assert_max_num_queries
    ):
        for _ in range(20):
            set_hours(serve(source), shifts=office(), now=EIGHT)
        with django_assert_max_num_queries(9 + counted):
            assert tick(now=SIX_PM).renewed == 21

    def test_can_be_run_by_hand(self, source, anna, capsys):
        arrive(source, now=EIGHT)
        with time_machine.travel(NINE, tick=False):
            call_command("tick")
        assert (
            capsys.readouterr().out
            == "Shifts renewed: 0. Contacts handed out: 1. Not taken in time: 0.\n"
        )


class TestChangingThem:
    def test_what_waits_goes_to_somebody_who_works_now(self, source, anna):
        contact, _ = arrive(source, now=EIGHT)
        change_hours(anna, shifts=office(8), now=EIGHT)
        assert owner(contact) == anna

    def test_without_shifts_somebody_works_always_again(self, source, anna):
        contact, _ = arrive(source, now=EIGHT)
        changed = change_hours(anna, shifts=[], now=EIGHT)
        assert (changed.shift_starts_at, changed.shift_ends_at) == (None, None)
        assert owner(contact) == anna

    def test_another_time_zone_moves_them(self, source, anna):
        contact, _ = arrive(source, now=EIGHT)
        change_operator(anna, {"time_zone": "Asia/Yekaterinburg"}, now=EIGHT)
        assert owner(contact) == anna

    def test_a_day_off_is_a_day_of_the_operators_calendar(self, source, anna):
        changed = change_hours(anna, days_off=[off(date(2026, 11, 26))], now=EIGHT)
        assert changed.shift_starts_at == NINE + timedelta(days=1)
        changed = change_operator(anna, {"time_zone": "Pacific/Kiritimati"}, now=EIGHT)
        assert changed.shift_starts_at == datetime(2026, 11, 26, 19, tzinfo=UTC)

    def test_rows_that_stay_the_same_are_kept(self, anna):
        before = set(anna.shifts.values_list("pk", flat=True))
        change_hours(anna, shifts=office(weekdays=range(1, 6)), now=EIGHT)
        after = set(anna.shifts.values_list("pk", flat=True))
        assert (len(before & after), len(after)) == (4, 5)

    def test_the_other_kind_stays_as_it_is(self, anna):
        change_hours(anna, days_off=[off(date(2026, 11, 26))], now=EIGHT)
        assert (anna.shifts.count(), anna.days_off.count()) == (5, 1)

    def test_a_deleted_operator_is_not_found(self, anna):
        with pytest.raises(Operator.DoesNotExist):
            change_hours(Operator(pk=10**6), shifts=[])


class TestTheInvariants:
    @staticmethod
    def broken(now):
        with time_machine.travel(now, tick=False):
            return [each.invariant.name for each in check_all(records=100) if each.breaches]

    @pytest.fixture(autouse=True)
    def _no_pause(self, monkeypatch):
        monkeypatch.setattr("contacts.invariants.time.sleep", lambda seconds: None)

    def test_allow_to_wait_for_a_shift_and_for_the_next_tick(self, source, anna):
        arrive(source, now=EIGHT)
        assert self.broken(EIGHT) == []
        assert self.broken(NINE + 30 * SECOND) == []

    def test_do_not_allow_to_wait_beside_somebody_on_shift(self, source, anna):
        arrive(source, now=EIGHT)
        assert self.broken(NINE + 60 * SECOND) == ["I3"]
        tick(now=NINE)
        assert self.broken(NINE + 60 * SECOND) == []

    def test_do_not_allow_a_choice_of_somebody_passed_over(self, source, anna):
        serve(source)
        contact, _ = arrive(source, now=EIGHT)
        Contact.objects.update(operator=anna)
        contact.decisions.update(operator_id=anna.pk)
        assert "I4" in self.broken(EIGHT)


class TestTheApi:
    def test_the_reason_is_in_the_answer(self, api, source, anna):
        with time_machine.travel(EIGHT, tick=False):
            body = {"lead_external_id": "lead:1", "source_code": source.code}
            made = api.post("/contacts", body).json()
        assert [each["reason"] for each in made["distribution"]["skipped"]] == ["off_hours"]
        with time_machine.travel(EIGHT, tick=False):
            shown = api.get(f"/contacts/{made['id']}").json()
        assert shown["waiting_cause"] == "off_hours"

    def test_whoever_is_off_duty_has_no_capacity(self, api, anna):
        for now, value, count in [(EIGHT, "true", 0), (EIGHT, "false", 1), (NINE, "true", 1)]:
            with time_machine.travel(now, tick=False):
                found = api.get(f"/operators?has_capacity={value}").json()["results"]
            assert len(found) == count

    def test_an_operator_shows_the_hours(self, api, anna):
        change_hours(anna, days_off=[off(date(2026, 12, 31))], now=EIGHT)
        with time_machine.travel(EIGHT, tick=False):
            hours = api.get(f"/operators/{anna.pk}").json()["hours"]
        assert hours["shifts"][0] == {"weekday": 0, "starts": "09:00:00", "ends": "18:00:00"}
        assert hours["days_off"][0]["first_day"] == "2026-12-31"
        assert (hours["on_shift"], hours["time_zone"]) == (False, "Europe/Moscow")
        assert hours["shift_starts_at"] == "2026-11-26T06:00:00Z"

    def test_the_number_of_queries_of_an_arrival_is_as_without_hours(
        self, source, anna, django_assert_max_num_queries
    ):
        arrive(source, now=NINE)
        with django_assert_max_num_queries(8):
            arrive(source, now=NINE)


def test_the_load_is_counted_whatever_the_hours(source, anna):
    ContactFactory(source=source, operator=anna)
    assert with_load(Operator.objects.all()).get().current_load == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    def test_ticks_of_many_workers_hand_out_and_renew_once(self, source, anna):
        Operator.objects.update(max_active_contacts=5)
        for number in range(12):
            arrive(source, f"lead:{number}", now=EIGHT)
        later = NINE + timedelta(days=1)
        done, errors = at_once([lambda: tick(now=later)] * 8, 8)
        assert errors == []
        assert sum(each.handed for each in done) == load(anna) == 5
        anna.refresh_from_db()
        assert anna.shift_starts_at == later

    def test_a_renewal_and_a_change_of_hours_leave_what_the_rows_say(self, source, anna):
        others = [set_hours(serve(source), shifts=office(), now=EIGHT) for _ in range(3)]
        calls = []
        for number in range(20):
            one = others[number % 3]
            hours = office(8 + number % 4)
            calls += [
                lambda: tick(now=SIX_PM),
                lambda o=one, h=hours: change_hours(o, shifts=h, now=EIGHT),
            ]
        _, errors = at_once(calls, 8)
        assert errors == []
        tick(now=SIX_PM)
        for each in others:
            each.refresh_from_db()
            begins = each.shifts.get(weekday=4).starts
            assert each.shift_starts_at.astimezone(each.zone).time() == begins
