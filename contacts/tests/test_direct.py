"""The short way believes no look: what has changed since is seen under the lock."""

from datetime import timedelta

import pytest
from django.db import DataError
from django.utils import timezone

from contacts import direct
from contacts.inquiry import Inquiry
from contacts.models import Contact, DecisionRecord
from contacts.selectors import look_at_source
from contacts.services import create_contact
from contacts.tests.factories import ContactFactory
from crm_project.testing.functions import redefined
from crm_project.testing.queries import capture_sql
from leads.models import Lead
from leads.services import LeadIsErased
from leads.tests.factories import LeadFactory
from operators.models import Operator
from sources.models import Assignment
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def source():
    return SourceFactory()


@pytest.fixture
def anna(source):
    return AssignmentFactory(
        source=source, operator__name="Анна", operator__max_active_contacts=1
    ).operator


def look_and(source, change):
    """What an inquiry looks like that came before the change."""
    look = look_at_source(pk=source.pk, now=timezone.now())
    change()
    return Inquiry(look.source, "tg:1", look=look)


def full(source, anna):
    ContactFactory(operator=anna)


def inactive(source, anna):
    Operator.objects.filter(pk=anna.pk).update(is_active=False)


def off_shift(source, anna):
    Operator.objects.filter(pk=anna.pk).update(shift_ends_at=timezone.now() - timedelta(hours=1))


def not_yet_on_shift(source, anna):
    Operator.objects.filter(pk=anna.pk).update(shift_starts_at=timezone.now() + timedelta(hours=1))


def unassigned(source, anna):
    Assignment.objects.filter(operator=anna).delete()


CHANGES = [full, inactive, off_shift, not_yet_on_shift, unassigned]


@pytest.mark.parametrize("change", CHANGES)
def test_who_was_there_and_is_gone_gets_nothing(source, anna, change):
    inquiry = look_and(source, lambda: change(source, anna))
    contact, decision = create_contact(inquiry)
    assert (contact.operator, decision.chosen) == (None, None)
    assert contact.waiting_since
    assert Lead.objects.filter(external_id="tg:1").count() == 1
    assert contact.decisions.count() == 1


@pytest.mark.parametrize("change", CHANGES)
def test_somebody_else_gets_it_and_the_record_knows_only_who_could(source, anna, change):
    inquiry = look_and(source, lambda: change(source, anna))
    other = AssignmentFactory(source=source).operator
    contact, decision = create_contact(inquiry)
    assert contact.operator == other
    assert [each.operator_id for each in decision.candidates] == [other.pk]
    assert [each["operator_id"] for each in contact.decisions.get().candidates] == [other.pk]


def test_nobody_overtakes_who_began_to_wait_since(source, anna):
    older = []
    inquiry = look_and(source, lambda: older.append(ContactFactory(source=source)))
    contact, _ = create_contact(inquiry)
    older[0].refresh_from_db()
    assert (older[0].operator, contact.operator) == (anna, None)


def test_where_the_source_does_not_hand_out_nobody_is_overtaken(anna, source):
    source.auto_assign_waiting = False
    source.save()
    ContactFactory(source=source)
    contact, _ = create_contact(Inquiry(source, "tg:1"))
    assert contact.operator == anna
    assert contact.decisions.get().auto_assign_waiting is False


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "condition"),
    [
        (full, "AND coalesce(load.open_contacts, 0) < operator.max_active_contacts"),
        (inactive, "AND operator.is_active"),
        (off_shift, "AND (operator.shift_ends_at IS NULL OR operator.shift_ends_at > given_at)"),
        (
            not_yet_on_shift,
            "AND (operator.shift_starts_at IS NULL OR operator.shift_starts_at <= given_at)",
        ),
    ],
)
def test_without_the_second_look_they_would_get_it(source, anna, change, condition):
    # Guards the tests above: if this one fails, they prove nothing.
    inquiry = look_and(source, lambda: change(source, anna))
    with redefined((condition, "")):
        assert create_contact(inquiry)[0].operator == anna


@pytest.mark.parametrize("changes", [{"strategy": "least_loaded"}, {"sticky": True}])
def test_what_compares_goes_the_long_way(source, anna, changes):
    for name, value in changes.items():
        setattr(source, name, value)
    source.save()
    assert direct.create_directly(Inquiry(source, "tg:1")) is None
    assert not Contact.objects.exists()


def test_a_lead_that_is_merged_is_left_to_the_long_way(source, anna):
    survivor = LeadFactory()
    merged = LeadFactory(external_id="tg:1", merged_into=survivor)
    assert direct.create_directly(Inquiry(source, "tg:1")) is None
    assert not DecisionRecord.objects.exists()
    assert create_contact(Inquiry(source, merged.external_id))[0].lead == survivor


def test_whose_data_are_erased_is_not_written_to_under_the_new_id(source, anna):
    LeadFactory(external_id="tg:1", erased_at=timezone.now())
    with pytest.raises(LeadIsErased):
        create_contact(Inquiry(source, "tg:1"))
    assert not Contact.objects.exists()


def test_who_finds_nobody_three_times_takes_the_long_way(source, anna, monkeypatch):
    attempts = []

    def gone(*args, **kwargs):
        attempts.append(args)
        raise direct.GoneError

    monkeypatch.setattr(direct, "_in_one_call", gone)
    monkeypatch.setattr(direct, "_step_by_step", gone)
    assert create_contact(Inquiry(source, "tg:1"))[0].operator == anna
    assert len(attempts) == 3


@pytest.mark.postgres
def test_what_else_goes_wrong_is_told_and_nothing_is_kept(source, anna):
    broken = "INSERT INTO contacts_decisionrecord"
    with redefined((broken, f"RAISE division_by_zero; {broken}")), pytest.raises(DataError):
        create_contact(Inquiry(source, "tg:1"))
    assert not Contact.objects.exists()
    assert not Lead.objects.exists()


def test_what_is_told_is_what_is_kept(source, anna):
    contact, decision = create_contact(Inquiry(source, "tg:1", "Добрый день"))
    kept = Contact.objects.select_related("lead", "operator").get()
    for name in ("pk", "lead", "operator", "message", "status", "created_at", "assigned_at"):
        assert getattr(kept, name) == getattr(contact, name)
    record = kept.decisions.get()
    assert (record.draw, record.operator_name) == (decision.draw, "Анна")
    assert record.created_at == kept.assigned_at >= kept.created_at


@pytest.mark.postgres
def test_it_is_two_statements(source, anna):
    statements = capture_sql(lambda: create_contact(Inquiry(source, "tg:1")))
    # A test is in a transaction, or there were no savepoint either.
    assert len([each for each in statements if "SAVEPOINT" not in each]) == 2
