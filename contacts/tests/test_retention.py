"""Who has been silent for long is erased, in batches, and nobody else."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from contacts import locks
from contacts.management.commands import erase_old_leads
from contacts.models import Contact, IdempotencyKey, ImportRun
from contacts.tests.factories import ContactFactory
from crm_project.testing.queries import capture_sql
from crm_project.testing.threads import elsewhere
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.tests.people import make_lead

pytestmark = pytest.mark.django_db


def ago(days):
    return timezone.now() - timedelta(days=days)


def silent_for(days, *, name="Анна", **lead):
    """A lead whose one contact was closed so many days ago."""
    new = LeadFactory(name=name, created_at=ago(days + 1), **lead)
    ContactFactory(lead=new, created_at=ago(days + 1), closed_at=ago(days), status="closed")
    return new


def run(days=30, **options):
    out = StringIO()
    call_command("erase_old_leads", older_than=days, stdout=out, **options)
    return out.getvalue()


def left():
    return set(Lead.objects.filter(erased_at=None).values_list("pk", flat=True))


def test_who_has_been_silent_for_longer_is_erased_and_nobody_else():
    old, young = silent_for(31), silent_for(29)
    again = silent_for(31)
    ContactFactory(lead=again, closed_at=ago(1), status="closed")
    waiting = silent_for(31)
    ContactFactory(lead=waiting)
    never_wrote = LeadFactory(created_at=ago(400))
    assert "1 leads" in run()
    assert left() == {each.pk for each in (young, again, waiting, never_wrote)}
    assert Lead.objects.get(pk=old.pk).name == ""


def test_what_was_merged_goes_with_the_survivor():
    survivor = silent_for(31)
    merged = LeadFactory(name="А.", merged_into=survivor, created_at=ago(40))
    run()
    assert left() == set()
    assert Lead.objects.get(pk=merged.pk).name == ""


def test_a_second_run_finds_nothing():
    silent_for(31)
    run()
    before = list(Lead.objects.values())
    assert run().startswith("The data of 0 leads")
    assert list(Lead.objects.values()) == before


def test_a_dry_run_counts_and_changes_nothing():
    silent_for(31), silent_for(31)
    assert "2 leads" in run(dry_run=True)
    assert len(left()) == 2


def test_what_is_broken_off_between_batches_goes_on_with_the_next_run(monkeypatch):
    for _ in range(5):
        silent_for(31)
    real, calls = erase_old_leads.erase_silent_leads, []

    def broken(ids, **how):
        if calls:
            raise KeyboardInterrupt
        calls.append(ids)
        return real(ids, **how)

    monkeypatch.setattr(erase_old_leads, "erase_silent_leads", broken)
    with pytest.raises(KeyboardInterrupt):
        run(batch=2)
    assert len(left()) == 3
    monkeypatch.undo()
    assert "3 leads" in run(batch=2)
    assert left() == set()


def test_its_queries_grow_with_the_batches_and_not_with_the_leads():
    def queries(count):
        for _ in range(count):
            silent_for(31)
        return len(capture_sql(run))

    queries(1)  # which makes the marks
    assert queries(20) == queries(2)


def test_whoever_writes_at_that_moment_is_left_alone(monkeypatch):
    lead = silent_for(31)
    real = erase_old_leads.erase_silent_leads

    def late(ids, **how):
        ContactFactory(lead=lead, status="closed")
        return real(ids, **how)

    monkeypatch.setattr(erase_old_leads, "erase_silent_leads", late)
    assert run().startswith("The data of 0 leads")
    assert left() == {lead.pk}


def test_what_is_past_its_time_is_forgotten_too():
    for days in (0, 40):
        IdempotencyKey.objects.create(key=f"k-{days}", created_at=ago(days))
        ImportRun.objects.create(user=_user(), kind="leads", created_at=ago(days))
    run()
    assert IdempotencyKey.objects.get().key == "k-0"
    assert ImportRun.objects.count() == 1


def _user():
    return make_lead(f"user {ImportRun.objects.count()}")


@pytest.mark.parametrize("options", [{"days": 0}, {"days": 36_501}, {"batch": 0}, {"batch": 1001}])
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(CommandError, match="must be from 1 to"):
        run(**options)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_batch_in_which_somebody_works_is_told_and_the_others_are_done(monkeypatch):

    monkeypatch.setattr(locks, "ATTEMPTS", 1)
    busy, _free = silent_for(31), silent_for(31)
    with transaction.atomic():
        list(Contact.objects.filter(lead=busy).select_for_update())
        with pytest.raises(CommandError, match="1 leads are being worked on"):
            elsewhere(lambda: run(batch=1))
    assert left() == {busy.pk}
