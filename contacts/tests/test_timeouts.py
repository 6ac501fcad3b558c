"""Who does not take a contact in time loses it to somebody else; then it is the team lead's."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils.translation import override

from contacts import services, timeouts
from contacts.clock import tick
from contacts.invariants import check_all
from contacts.models import Contact
from contacts.services import change_status, reassign_contact
from contacts.staffing import release_operator
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, load, owner, serve
from contacts.timeouts import hand_on
from contacts.wording import explain_timeout
from crm_project.testing.threads import at_once, elsewhere
from operators.models import Operator
from sources.models import Source
from sources.tests.factories import SourceFactory

NOON, MINUTE = datetime(2026, 11, 26, 9, tzinfo=UTC), timedelta(minutes=1)
LATE = NOON + 10 * MINUTE


@pytest.fixture
def source(db):
    return SourceFactory(response_minutes=10, response_handovers=2)


@pytest.fixture
def team(source):
    return [serve(source, name=name) for name in ("Анна", "Борис", "Вера", "Глеб")]


def read(contact):
    return Contact.objects.get(pk=contact.pk)


def owners(contact, times):
    """Who has it after each so many deadlines that nobody kept, up to `times` of them."""
    seen = [owner(contact)]
    for number in range(1, times + 1):
        tick(now=NOON + number * 10 * MINUTE)
        seen.append(owner(contact))
    return seen


class TestTheDeadline:
    def test_counts_to_the_second_from_when_the_operator_got_it(self, source, team):
        contact, _ = arrive(source, now=NOON)
        assert tick(now=LATE - timedelta(seconds=1)).late == 0
        assert tick(now=LATE).late == 1
        assert owner(contact) != contact.operator
        assert tick(now=LATE).late == 0
        assert (read(contact).assigned_at, read(contact).handovers) == (LATE, 1)

    def test_is_off_by_default(self, db):
        source = SourceFactory()
        serve(source), serve(source)
        contact, _ = arrive(source, now=NOON)
        assert tick(now=NOON + timedelta(days=30)).late == 0
        assert owner(contact) == contact.operator

    @pytest.mark.parametrize("status", ["in_progress", "closed"])
    def test_is_kept_by_taking_or_closing_it(self, source, team, status):
        contact, _ = arrive(source, now=NOON)
        change_status(contact.pk, status=status, now=NOON)
        assert tick(now=LATE).late == 0

    def test_does_not_run_for_who_waits(self, source):
        arrive(source, now=NOON)
        assert tick(now=LATE).late == 0


class TestHandingOn:
    def test_goes_to_others_and_never_back_then_to_the_team_lead(self, source, team):
        contact, _ = arrive(source, now=NOON)
        seen = owners(contact, 5)
        assert len(set(seen[:3])) == 3
        assert seen[3:] == [seen[2]] * 3
        contact = read(contact)
        assert (contact.handovers, contact.escalated_at) == (2, NOON + 30 * MINUTE)

    def test_ends_where_nobody_is_left(self, source):
        source.response_handovers = 10
        source.save()
        serve(source), serve(source)
        contact, _ = arrive(source, now=NOON)
        first, second, *rest = owners(contact, 4)
        assert first != second
        assert rest == [second] * 3
        assert read(contact).escalated_at == NOON + 20 * MINUTE

    def test_passes_over_whoever_is_full_inactive_or_off_duty(self, source):
        anna = serve(source)
        contact, _ = arrive(source, now=NOON)
        ContactFactory(source=source, operator=serve(source, max_active_contacts=1))
        serve(source, is_active=False)
        serve(source, shift_starts_at=NOON + timedelta(days=1))
        tick(now=LATE)
        (record,) = contact.decisions.filter(kind="timeout")
        assert [each["reason"] for each in record.skipped] == [
            "excluded",
            "full",
            "inactive",
            "off_hours",
        ]
        assert (record.operator_id, record.previous_operator_id) == (anna.pk, anna.pk)
        assert read(contact).escalated_at == LATE

    def test_frees_the_place_for_who_waits(self, source):
        other = SourceFactory()
        anna = serve(source, max_active_contacts=1)
        contact, _ = arrive(source, now=NOON)
        boris = serve(source)
        other.assignments.create(operator=anna)
        waiting, _ = arrive(other, "lead:2", now=NOON)
        tick(now=LATE)
        assert (owner(contact), owner(waiting)) == (boris, anna)

    def test_with_no_handovers_allowed_marks_at_once(self, source, team):
        source.response_handovers = 0
        source.save()
        contact, _ = arrive(source, now=NOON)
        tick(now=LATE)
        assert (owner(contact), read(contact).escalated_at) == (contact.operator, LATE)

    def test_is_on_record_and_keeps_the_invariants(self, source, team):
        contact, _ = arrive(source, now=NOON)
        owners(contact, 4)
        kinds = contact.decisions.order_by("pk").values_list("kind", "actor_name")
        assert list(kinds)[1:] == [("timeout", "clock")] * 3
        with time_machine.travel(LATE, tick=False):
            assert not [each for each in check_all(records=100) if each.breaches]

    def test_of_many_is_done_in_bounded_parts(self, source, team, monkeypatch):
        Operator.objects.update(max_active_contacts=100)
        for number in range(5):
            arrive(source, f"lead:{number}", now=NOON)
        monkeypatch.setattr("contacts.clock.BATCH", 2)
        assert [tick(now=LATE).late for _ in range(4)] == [2, 2, 1, 0]

    def test_tells_one_sentence_of_each_outcome(self, source, team):
        contact, _ = arrive(source, now=NOON)
        with override("en"):
            moved = hand_on(contact.pk, now=LATE, draw=lambda: 0.0)
            told = explain_timeout(moved.contact, moved.decision)
            assert told.startswith("It was not taken in time. Assigned to ")
            Operator.objects.update(is_active=False)
            stuck = hand_on(contact.pk, now=LATE + 10 * MINUTE)
            assert "nobody else is available" in explain_timeout(stuck.contact, stuck.decision)
            Contact.objects.update(escalated_at=None, handovers=2)
            ended = hand_on(contact.pk, now=LATE + 10 * MINUTE)
            assert "often enough" in explain_timeout(ended.contact, ended.decision)


class TestTheMarkAndTheCount:
    @pytest.fixture
    def marked(self, source, team):
        contact, _ = arrive(source, now=NOON)
        owners(contact, 3)
        return read(contact)

    @pytest.mark.parametrize("status", ["in_progress", "closed"])
    def test_end_with_taking_or_closing(self, marked, status):
        change_status(marked.pk, status=status)
        assert (read(marked).handovers, read(marked).escalated_at) == (0, None)

    def test_begin_anew_when_a_person_hands_it_to_somebody(self, marked, team):
        moment = NOON + 60 * MINUTE
        reassign_contact(marked.pk, operator_id=owner_other_than(marked, team).pk, now=moment)
        assert (read(marked).handovers, read(marked).escalated_at) == (0, None)
        before = owner(marked)
        assert tick(now=moment + 10 * MINUTE).late == 1
        assert owner(marked) != before

    def test_stay_when_a_reassignment_moves_nothing(self, marked):
        Operator.objects.update(max_active_contacts=1)
        Operator.objects.exclude(pk=marked.operator_id).update(is_active=False)
        assert not reassign_contact(marked.pk).moved
        assert read(marked).escalated_at

    def test_end_when_the_operator_is_released(self, marked):
        release_operator(marked.operator_id, deactivate=True)
        assert (read(marked).handovers, read(marked).escalated_at) == (0, None)

    def test_are_refused_by_the_database_on_what_is_not_untaken(self, marked):
        with pytest.raises(IntegrityError), transaction.atomic():
            Contact.objects.update(status="in_progress")

    def test_are_shown_and_found_by_the_api(self, api, marked):
        assert api.get(f"/contacts/{marked.pk}").json()["escalated_at"] == "2026-11-26T09:30:00Z"
        for value, count in (("true", 1), ("false", 0)):
            found = api.get(f"/contacts?escalated={value}").json()["results"]
            assert len(found) == count
        last = api.get(f"/contacts/{marked.pk}/history").json()["results"][-1]
        assert last["kind"] == "timeout"


def owner_other_than(contact, team):
    return next(each for each in team if each.pk != contact.operator_id)


class TestTheCommand:
    @pytest.fixture
    def late(self, source, team):
        contact, _ = arrive(source, now=NOON)
        return contact

    @staticmethod
    def run(capsys, *options, now=LATE):
        with time_machine.travel(now, tick=False):
            call_command("reassign_stale", *options)
        return capsys.readouterr().out

    def test_hands_on_what_is_due_and_a_second_run_finds_nothing(self, late, capsys):
        assert self.run(capsys) == "1 handed on, 0 marked for the team lead.\n"
        assert owner(late) != late.operator
        assert self.run(capsys) == "0 handed on, 0 marked for the team lead.\n"

    def test_a_dry_run_lists_and_changes_nothing(self, late, capsys):
        text = self.run(capsys, "--dry-run")
        assert "2026-11-26 12:00: may be handed on, 2 more times at most\n1 due." in text
        assert owner(late) == late.operator

    def test_one_source_alone(self, late, capsys):
        other = SourceFactory(code="other")
        assert self.run(capsys, "--source=other").startswith("0 handed on")
        assert self.run(capsys, f"--source={late.source.code}", "-v2").count("\n") == 2
        with pytest.raises(CommandError, match=other.code):
            self.run(capsys, "--source=nowhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [("response_minutes", 0), ("response_minutes", 10_081), ("response_handovers", 11)],
)
def test_a_source_takes_sensible_numbers_only(api, source, field, value):
    response = api.patch(f"/sources/{source.pk}", {field: value})
    assert [each["attr"] for each in response.json()["errors"]] == [field]
    with pytest.raises(IntegrityError), transaction.atomic():
        Source.objects.update(**{field: value})


def test_a_source_can_be_told_by_the_api_to_hurry(api, source):
    body = api.patch(f"/sources/{source.pk}", {"response_minutes": None, "response_handovers": 0})
    assert (body.json()["response_minutes"], body.json()["response_handovers"]) == (None, 0)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestRaces:
    @pytest.fixture
    def late(self, source, team):
        contact, _ = arrive(source, now=NOON)
        return contact

    @staticmethod
    def taken_while_it_looks(late, monkeypatch):
        """Somebody takes it into work after it was found, before the locks are there."""
        events, real = [lambda: change_status(late.pk, status="in_progress")], lock_operators

        def interrupted(**kwargs):
            if events:
                elsewhere(events.pop())
            return real(**kwargs)

        monkeypatch.setattr(services, "lock_operators", interrupted)
        return hand_on(late.pk, now=LATE)

    def test_what_is_taken_at_the_last_moment_stays(self, late, monkeypatch):
        assert self.taken_while_it_looks(late, monkeypatch) is None
        assert (read(late).status, owner(late)) == ("in_progress", late.operator)

    def test_without_the_second_look_it_would_be_snatched_away(self, late, monkeypatch):
        # Guards the test above: if this one fails, that one proves nothing.
        monkeypatch.setattr(timeouts, "is_overdue", lambda contact, now: True)
        assert self.taken_while_it_looks(late, monkeypatch).moved
        assert (read(late).status, owner(late) == late.operator) == ("in_progress", False)

    def test_ticks_of_many_workers_move_each_contact_once(self, source, team):
        Operator.objects.update(max_active_contacts=100)
        for number in range(12):
            arrive(source, f"lead:{number}", now=NOON)
        _, errors = at_once([lambda: tick(now=LATE)] * 8, 8)
        assert errors == []
        assert set(Contact.objects.values_list("handovers", flat=True)) == {1}
        assert sum(map(load, team)) == 12

    def test_a_storm_of_ticks_takes_and_arrivals_keeps_the_limits(self, source, team):
        Operator.objects.update(max_active_contacts=4)
        contacts = [arrive(source, f"lead:{number}", now=NOON)[0] for number in range(14)]
        calls = []
        for number, contact in enumerate(contacts):
            calls += [
                lambda c=contact: change_status(c.pk, status="in_progress", now=LATE),
                lambda: tick(now=LATE),
                lambda n=number: arrive(source, f"new:{n}", now=LATE),
            ]
        _, errors = at_once(calls, 8)
        assert errors == []
        assert all(load(each) <= 4 for each in team)


lock_operators = services.lock_operators
