"""manage.py distribute_waiting and prune_history."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from contacts import pruning
from contacts.models import DecisionRecord, Rotation
from contacts.services import change_status
from contacts.tests.scenes import arrive, owner, serve
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def run(*command):
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def queue(**source):
    """A source where three wait for somebody who has room for two."""
    source = SourceFactory(auto_assign_waiting=False, **source)
    contacts = [arrive(source, f"lead:{number}")[0] for number in range(3)]
    serve(source, name="Анна", max_active_contacts=2)
    return contacts


def test_what_waits_goes_out_oldest_first_and_the_rest_is_told_why_it_waits():
    contacts = queue(code="tg")
    told = run("distribute_waiting")
    assert [bool(owner(each)) for each in contacts] == [True, True, False]
    assert "2 handed out" in told
    assert "Анна (id" in told
    assert "tg: 1 still waiting (all_full)" in told
    assert "0 handed out" in run("distribute_waiting")
    record = DecisionRecord.objects.first()
    assert (record.actor_type, record.actor_name) == ("command", "distribute_waiting")


def test_one_source_leaves_the_others_alone():
    first, second = queue(code="tg"), queue(code="vk")
    run("distribute_waiting", "--source", "vk")
    assert [owner(first[0]), bool(owner(second[0]))] == [None, True]


def test_a_dry_run_tells_the_same_and_changes_nothing():
    contacts = queue()
    records = DecisionRecord.objects.count()
    assert "2 would be handed out" in run("distribute_waiting", "--dry-run")
    assert not any(owner(each) for each in contacts)
    assert DecisionRecord.objects.count() == records


def test_an_unknown_source_is_answered_with_those_there_are():
    with pytest.raises(CommandError, match="There is none yet"):
        run("distribute_waiting", "--source", "tg")
    SourceFactory(code="vk")
    with pytest.raises(CommandError, match=r"There are: vk\."):
        run("distribute_waiting", "--source", "tg")


@pytest.fixture
def history(monkeypatch):
    """Old decisions about a contact that is open and one that is closed, and one of today."""
    monkeypatch.setattr(pruning, "BATCH", 2)
    source, long_ago = SourceFactory(strategy="smooth_weighted"), timezone.now() - timedelta(40)
    still_open, _ = arrive(source, now=long_ago)
    serve(source, max_active_contacts=9), serve(source, max_active_contacts=9)
    call_command("distribute_waiting", stdout=StringIO())
    closed, _ = arrive(source, now=long_ago)
    change_status(closed.pk, status="closed")
    DecisionRecord.objects.update(created_at=long_ago)
    Rotation.objects.update(updated_at=long_ago)
    source.strategy = "weighted_random"
    return still_open, closed, arrive(source)[0]


def test_old_decisions_go_save_what_an_open_contact_needs(history):
    assert "2 decisions and 1 rotations would be" in run(
        "prune_history", "--older-than=30", "--dry-run"
    )
    assert DecisionRecord.objects.count() == 4
    assert "2 decisions and 1 rotations deleted." in run("prune_history", "--older-than=30")
    still_open, closed, recent = history
    assert [each.decisions.count() for each in (still_open, closed, recent)] == [1, 0, 1]
    assert still_open.decisions.get().operator_id == owner(still_open).pk
    assert "0 decisions and 0 rotations deleted." in run("prune_history", "--older-than=30")


@pytest.mark.parametrize("days", ["0", "-1", "100000"])
def test_an_age_that_is_none_is_refused(days):
    with pytest.raises(CommandError, match="must be from 1"):
        run("prune_history", f"--older-than={days}")
