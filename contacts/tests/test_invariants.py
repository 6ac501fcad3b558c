"""What `manage.py check_invariants` finds, by breaking one thing at a time behind its back."""

import json
import subprocess
import sys
from contextlib import contextmanager
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import CheckConstraint, Q, UniqueConstraint
from django.test.utils import CaptureQueriesContext

from contacts.invariants import INVARIANTS, check_all
from contacts.models import Contact, DecisionRecord, IdempotencyKey
from contacts.services import change_status, reassign_contact
from contacts.staffing import assign, change_operator, fill_waiting, release_operator
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import SourceFactory

NAMES = [each.name for each in INVARIANTS]

pytestmark = pytest.mark.django_db


def command(*arguments):
    """The exit code of `check_invariants` and what it printed."""
    out = StringIO()
    try:
        call_command("check_invariants", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def never():
    raise AssertionError("Nothing was doubtful, so there is nothing to wait for.")


def broken(pause=lambda: None):
    """What is broken: the breaches by the name of the invariant."""
    results = check_all(records=10_000, pause=pause)
    return {each.invariant.name: each.breaches for each in results if each.breaches}


def handed_out(source=None, **how):
    """The record of a contact that one of two got by lot."""
    source = source or SourceFactory()
    serve(source, weight=1), serve(source, weight=1)
    return arrive(source, draw=lambda: 0.25, **how)[0].decisions.get()


def change(record, **changes):
    DecisionRecord.objects.filter(pk=record.pk).update(**changes)


def test_where_all_is_well_each_has_a_line_and_the_exit_code_is_0():
    handed_out()
    code, told = command()
    assert code == 0
    assert [line.split()[:2] for line in told.splitlines()] == [[name, "ok"] for name in NAMES]


def test_an_empty_database_breaks_nothing():
    assert broken(never) == {}


def test_a_breach_is_told_with_what_breaks_it_and_the_exit_code_is_1():
    record = handed_out()
    change(record, draw=0.75)
    code, told = command()
    assert code == 1
    (line,) = [line for line in told.splitlines() if "BREACH" in line]
    assert line.startswith("I4 ")
    assert line.endswith(f"against it 1: record {record.pk} of contact {record.contact_id}")


def test_only_a_few_examples_are_told():
    for _ in range(7):
        change(handed_out(), draw=0.75)
    told = command()[1]
    assert "against it 7: " in told
    assert told.count("record ") == 5
    assert ", ..." in told


def test_a_program_reads_json():
    record = handed_out()
    change(record, draw=0.75)
    code, told = command("--json")
    found = json.loads(told)
    assert (code, found["ok"]) == (1, False)
    by_name = {each.pop("name"): each for each in found["invariants"]}
    assert list(by_name) == NAMES
    assert by_name["I4"]["examples"] == [f"record {record.pk} of contact {record.contact_id}"]
    assert (by_name["I4"]["breaches"], by_name["I3"]["ok"]) == (1, True)


def test_times_are_told_to_whoever_wants_more():
    assert " ms]" not in command()[1]
    assert command("--verbosity=2")[1].count(" ms]") == len(NAMES)


def test_only_so_many_of_the_newest_records_are_read():
    change(handed_out(), draw=0.75)
    handed_out()
    assert [command(f"--records={count}")[0] for count in (1, 2)] == [0, 1]


@pytest.mark.parametrize("count", ["-1", "1000001"])
def test_a_senseless_number_of_records_is_refused(count):
    with pytest.raises(CommandError, match="must be from 1"):
        call_command("check_invariants", f"--records={count}")


def test_a_database_that_cannot_be_read_is_no_breach(tmp_path):
    done = subprocess.run(
        [sys.executable, "manage.py", "check_invariants"],
        env={"DATABASE_URL": f"sqlite:///{tmp_path}/empty", "CRM_DOTENV": "/dev/null"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def test_it_takes_as_many_queries_for_one_contact_as_for_twenty():
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert broken(never) == {}
        return len(captured)

    source = SourceFactory()
    serve(source, max_active_contacts=1)
    arrive(source), arrive(source)
    queries()  # asks, the first time, what the database can do
    few = queries()
    for number in range(20):
        other = SourceFactory()
        serve(other, max_active_contacts=1)
        arrive(other, f"lead:{number}"), arrive(other, f"lead:{number}")
    assert queries() == few


class TestI1:
    def test_a_choice_of_somebody_full(self):
        record = handed_out()
        record.candidates[0]["current_load"] = record.candidates[0]["max_active_contacts"]
        change(record, candidates=record.candidates)
        assert list(broken()) == ["I1"]

    def test_force_that_was_nobodys(self):
        change(handed_out(), forced=True)
        assert list(broken()) == ["I1"]

    def test_a_person_may_and_a_lower_limit_may(self):
        source = SourceFactory()
        operator = serve(source, max_active_contacts=2)
        arrive(source), arrive(source, "other")
        waits, _ = arrive(source, "third")
        reassign_contact(waits.pk, operator_id=operator.pk, force=True)
        change_operator(operator, {"max_active_contacts": 1})
        assert broken(never) == {}


def test_i2_an_open_contact_of_somebody_who_does_not_exist():
    contact = ContactFactory(operator=OperatorFactory())
    rows = Contact.objects.filter(pk=contact.pk)
    rows.update(operator=10**6)
    assert broken() == {"I2": ["operator 1000000 (None shown, 1 open)"]}
    rows.update(operator=contact.operator)  # the keys are checked at the end of the test


class TestI3:
    def test_a_contact_that_waits_beside_an_available_operator(self):
        source = SourceFactory(code="tg")
        contact, _ = arrive(source)
        serve(source)
        assert broken() == {"I3": [f"contact {contact.pk} in tg"]}
        assert "(run manage.py distribute_waiting)" in command()[1]

    @pytest.mark.parametrize(
        "cause",
        [
            {"source": {"auto_assign_waiting": False}},
            {"operator": {"is_active": False}},
            {"operator": {"max_active_contacts": 1}},
        ],
    )
    def test_not_where_there_is_a_cause(self, cause):
        source = SourceFactory(**cause.get("source", {}))
        arrive(source)
        ContactFactory(operator=serve(source, **cause.get("operator", {})))
        assert broken(never) == {}

    def test_not_where_it_is_handed_out_while_we_look(self):
        source = SourceFactory()
        arrive(source)
        serve(source)
        assert broken(lambda: fill_waiting(Source.objects.all())) == {}

    def test_not_where_a_long_queue_is_on_its_way(self):
        source = SourceFactory()
        first, _ = arrive(source)
        arrive(source, "other")
        serve(source)
        assert broken(lambda: change_status(first.pk, status="closed")) == {}


class TestI4:
    def test_a_choice_that_does_not_replay(self):
        change(handed_out(), draw=0.75)
        assert list(broken()) == ["I4"]

    def test_a_choice_of_somebody_passed_over(self):
        record = handed_out()
        change(record, skipped=[{"operator_id": record.operator_id, "reason": "full"}])
        assert list(broken()) == ["I4"]

    def test_a_choice_of_somebody_who_was_no_candidate(self):
        record, stranger = handed_out(), OperatorFactory()
        Contact.objects.filter(pk=record.contact_id).update(operator=stranger)
        change(record, operator_id=stranger.pk, strategy="sticky", odds="", draw=None)
        assert list(broken()) == ["I4"]

    def test_a_release_to_the_same_operator(self):
        record = handed_out()
        change(record, kind="release", previous_operator_id=record.operator_id)
        assert list(broken()) == ["I4"]

    def test_who_stays_for_want_of_others_was_not_chosen(self):
        source = SourceFactory()
        serve(source)
        contact, _ = arrive(source)
        reassign_contact(contact.pk)
        assert broken(never) == {}

    @pytest.mark.parametrize("strategy", ["least_loaded", "smooth_weighted"])
    def test_every_strategy_replays(self, strategy):
        source = SourceFactory(strategy=strategy)
        serve(source, weight=2), serve(source, weight=3)
        for number in range(6):
            arrive(source, f"lead:{number}")
        assert broken(never) == {}
        record = DecisionRecord.objects.first()
        for each in record.candidates:
            each |= {"current_load": 0, "turns": 5 * (each["operator_id"] == record.operator_id)}
        if strategy == "least_loaded":
            record.candidates = record.candidates[::-1]
            for each in record.candidates:
                each["current_load"] = 3 * (each["operator_id"] == record.operator_id)
        change(record, candidates=record.candidates)
        assert list(broken()) == ["I4"]


@pytest.fixture
def _unchecked():
    """As if somebody had taken the constraints of contacts away."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
            yield
            cursor.execute("PRAGMA ignore_check_constraints = OFF")
        else:
            for name in ("closed_at_iff_closed", "waiting_since_iff_waiting"):
                cursor.execute(f"ALTER TABLE contacts_contact DROP CONSTRAINT contact_{name}")
            yield


class TestI5:
    @pytest.mark.usefixtures("_unchecked")
    def test_an_open_contact_that_is_answered_does_not_wait(self):
        contact = ContactFactory(operator=OperatorFactory())
        Contact.objects.filter(pk=contact.pk).update(waiting_since=contact.created_at)
        assert f"contact {contact.pk}" in broken()["I5"]

    @pytest.mark.usefixtures("_unchecked")
    def test_a_closed_contact_has_a_closing_time(self):
        contact = ContactFactory(operator=OperatorFactory())
        Contact.objects.filter(pk=contact.pk).update(status="closed")
        assert f"contact {contact.pk}" in broken()["I5"]

    @pytest.mark.usefixtures("_unchecked")
    def test_an_open_contact_without_operator_waits(self):
        contact = ContactFactory(source__auto_assign_waiting=False)
        Contact.objects.filter(pk=contact.pk).update(waiting_since=None)
        assert f"contact {contact.pk}" in broken()["I5"]

    @pytest.mark.usefixtures("_unchecked")
    def test_a_closed_contact_does_not_wait(self):
        contact = ContactFactory(status="closed", source__auto_assign_waiting=False)
        Contact.objects.filter(pk=contact.pk).update(waiting_since=contact.created_at)
        assert f"contact {contact.pk}" in broken()["I5"]

    def test_a_constraint_that_the_database_lacks(self, monkeypatch):
        lacking = CheckConstraint(condition=Q(pk__gt=0), name="contact_nobody_made_this")
        monkeypatch.setattr(Contact._meta, "constraints", [*Contact._meta.constraints, lacking])
        assert broken() == {"I5": ["no contact_nobody_made_this"]}

    @pytest.mark.postgres
    def test_a_constraint_that_holds_new_rows_only(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE contacts_contact DROP CONSTRAINT contact_status_is_known")
            cursor.execute(
                "ALTER TABLE contacts_contact ADD CONSTRAINT contact_status_is_known"
                " CHECK (status <> 'lost') NOT VALID"
            )
        assert broken() == {"I5": ["no contact_status_is_known"]}


class TestI6:
    def test_a_constraint_that_the_database_lacks(self, monkeypatch):
        lacking = UniqueConstraint(fields=["fingerprint"], name="nobody_made_this")
        constraints = [*IdempotencyKey._meta.constraints, lacking]
        monkeypatch.setattr(IdempotencyKey._meta, "constraints", constraints)
        assert broken() == {"I6": ["contacts_idempotencykey (fingerprint)"]}

    @pytest.mark.postgres
    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("leads_lead DROP CONSTRAINT leads_lead_external_id_key", "(external_id)"),
            ("contacts_rotation DROP CONSTRAINT rotation_once_per_set", "(source_id, among)"),
        ],
    )
    def test_a_constraint_that_somebody_dropped(self, constraint, columns):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {constraint}")
        assert broken() == {"I6": [f"{constraint.split()[0]} {columns}"]}


class TestI8:
    @pytest.fixture
    def overtaken(self):
        """One who waits, and one who came later and got a place, as was right at that time."""
        source = SourceFactory()
        operator = serve(source, max_active_contacts=1)
        arrive(source)
        waits, _ = arrive(source, "waits")
        Source.objects.update(auto_assign_waiting=False)
        source.refresh_from_db()
        Operator.objects.filter(pk=operator.pk).update(max_active_contacts=2)
        newcomer, _ = arrive(source, "newcomer")
        assert newcomer.operator
        Source.objects.update(auto_assign_waiting=True)
        return waits, newcomer.decisions.get()

    def test_a_newcomer_before_one_who_waits(self, overtaken):
        waits, record = overtaken
        change(record, auto_assign_waiting=True)
        assert broken() == {"I8": [overtaking(record.contact, waits)]}

    def test_not_where_the_queue_was_not_to_be_obeyed(self, overtaken):
        assert broken(never) == {}

    def test_not_where_a_person_chose(self, overtaken):
        change(overtaken[1], strategy="", kind="manual", candidates=[], odds="", draw=None)
        assert broken(never) == {}

    def test_not_where_nobody_knows_since_when_it_waits(self, overtaken):
        waits, record = overtaken
        change(record, auto_assign_waiting=True)
        waits.decisions.all().delete()
        assert broken(never) == {}

    def test_a_younger_one_out_of_the_queue(self):
        source = SourceFactory()
        serve(source, max_active_contacts=1)
        held, _ = arrive(source)
        older, _ = arrive(source, "older")
        younger, _ = arrive(source, "younger")
        with postponed(older):
            change_status(held.pk, status="closed")
            assert broken(never) == {}
        assert broken() == {"I8": [overtaking(younger, older)]}

    def test_one_who_waits_anew_and_goes_before_one_who_waited_meanwhile(self):
        source = SourceFactory()
        anew, _ = arrive(source, "anew")
        operator = OperatorFactory(max_active_contacts=1)
        assign(operator_id=operator.pk, source_id=source.pk, weight=1)
        older, _ = arrive(source, "older")
        release_operator(operator.pk, deactivate=True)
        with postponed(older):
            change_operator(operator, {"is_active": True})
        assert broken() == {"I8": [overtaking(anew, older)]}


@contextmanager
def postponed(contact):
    """Let a contact that waits be the last in the queue for a while."""
    rows = Contact.objects.filter(pk=contact.pk)
    rows.update(waiting_since=contact.waiting_since.replace(year=2100))
    yield
    rows.update(waiting_since=contact.waiting_since)


def overtaking(contact, older):
    record = contact.decisions.first()
    return f"record {record.pk} of contact {contact.pk} before contact {older.pk}"


class TestRecords:
    def test_a_contact_that_changed_hands_behind_their_back(self):
        record = handed_out()
        other = OperatorFactory()
        Contact.objects.filter(pk=record.contact_id).update(operator=other)
        assert list(broken()) == ["records"]

    def test_a_closed_contact_may_have_lost_its_operator_but_has_no_other(self):
        record = handed_out()
        change_status(record.contact_id, status="closed")
        rows = Contact.objects.filter(pk=record.contact_id)
        rows.update(operator=None)
        assert broken(never) == {}
        rows.update(operator=OperatorFactory(), assigned_at=record.created_at)
        assert list(broken()) == ["records"]

    def test_a_contact_without_records_is_older_than_they_are(self):
        ContactFactory(operator=OperatorFactory())
        ContactFactory()
        assert broken(never) == {}

    @pytest.mark.parametrize("changes", [{"odds": "1:1"}, {"odds": ""}])
    def test_odds_other_than_the_candidates_weights(self, changes):
        change(handed_out(), **changes)
        assert list(broken()) == ["records"]

    def test_shares_that_are_more_than_everything(self):
        record = handed_out()
        record.candidates[0]["share"] = 0.6
        change(record, candidates=record.candidates)
        assert list(broken()) == ["records"]

    def test_a_draw_for_nobody(self):
        contact, _ = arrive(SourceFactory())
        change(contact.decisions.get(), draw=0.5)
        assert list(broken()) == ["records"]

    @pytest.mark.parametrize(
        "kept", ["[{}]", "[[1]]", '[[1, "x", "a", 0, 5]]', '[[1, "x", 0, 0, 5]]', '{"a": 1}']
    )
    def test_one_that_cannot_be_read_fails_wherever_it_is_read(self, kept):
        record = handed_out()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE contacts_decisionrecord SET candidates = %s WHERE id = %s",
                [kept, record.pk],
            )
        assert list(broken()) == ["I1", "I4", "records"]
