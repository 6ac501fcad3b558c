"""The record of every decision, and what can be told from it later."""

import random

import pytest

from contacts.history import replay
from contacts.invariants import check_all
from contacts.models import DecisionRecord
from contacts.services import Inquiry, change_status, create_contacts, reassign_contact
from contacts.staffing import (
    assign,
    change_operator,
    change_source,
    delete_operator,
    release_operator,
)
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, load, owner, serve
from crm_project.actor import Actor
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def history(contact):
    """Kind, who had it before, who has it then; oldest first."""
    rows = DecisionRecord.objects.filter(contact=contact).order_by("pk")
    return list(rows.values_list("kind", "previous_operator_id", "operator_id"))


def test_every_change_of_the_operator_is_recorded_with_what_led_to_it():
    source = SourceFactory()
    contact, _ = arrive(source)
    anna, boris = OperatorFactory(name="Анна"), OperatorFactory(name="Борис")
    assign(operator_id=anna.pk, source_id=source.pk, weight=1)
    assign(operator_id=boris.pk, source_id=source.pk, weight=1)
    reassign_contact(contact.pk)
    reassign_contact(contact.pk, operator_id=anna.pk)
    change_status(contact.pk, status="closed")
    change_status(contact.pk, status="new")
    release_operator(anna.pk, deactivate=True)
    delete_operator(Operator.objects.get(pk=boris.pk))
    assert history(contact) == [
        ("create", None, None),
        ("waiting", None, anna.pk),
        ("reassign", anna.pk, boris.pk),
        ("manual", boris.pk, anna.pk),
        ("reopen", anna.pk, anna.pk),
        ("release", anna.pk, boris.pk),
        ("release", boris.pk, None),
    ]
    last_of_boris = DecisionRecord.objects.filter(operator_id=boris.pk).first()
    assert last_of_boris.operator_name == "Борис"


def test_the_record_tells_of_the_source_as_it_is_and_not_as_it_was_read():
    source = SourceFactory()
    operator = serve(source, max_active_contacts=1)
    arrive(source)
    waits, _ = arrive(source)
    read_before = Source.objects.get(pk=source.pk)
    change_source(source, {"auto_assign_waiting": False})
    change_operator(operator, {"max_active_contacts": 2})
    late, _ = arrive(read_before)
    change_source(source, {"auto_assign_waiting": True})
    assert (late.operator, owner(waits)) == (operator, None)
    assert not late.decisions.get().auto_assign_waiting
    assert not any(each.breaches for each in check_all(records=100))


def test_a_reassign_that_finds_nobody_else_is_a_decision_too():
    source = SourceFactory()
    mine = serve(source)
    contact = ContactFactory(source=source, operator=mine)
    reassign_contact(contact.pk)
    assert history(contact) == [("reassign", mine.pk, mine.pk)]


def test_neither_a_closing_nor_the_operator_it_has_is_a_decision():
    contact = ContactFactory(operator=OperatorFactory())
    reassign_contact(contact.pk, operator_id=contact.operator_id)
    change_status(contact.pk, status="in_progress")
    change_status(contact.pk, status="closed")
    assert history(contact) == []


def test_force_above_the_limit_is_recorded_and_force_below_it_is_none():
    target = OperatorFactory(max_active_contacts=1)
    for _ in range(2):
        reassign_contact(ContactFactory().pk, operator_id=target.pk, force=True)
    assert list(DecisionRecord.objects.order_by("pk").values_list("forced", flat=True)) == [
        False,
        True,
    ]


def test_the_record_keeps_everything_it_was_made_of():
    source = SourceFactory()
    chosen = serve(source, weight=3, name="Анна", max_active_contacts=5)
    serve(source, name="Борис", is_active=False)
    arrive(source, draw=lambda: 0.25, actor=Actor("user", "boss"))
    record = DecisionRecord.objects.get()
    assert record.candidates == [
        {
            "operator_id": chosen.pk,
            "operator_name": "Анна",
            "weight": 3,
            "share": 1.0,
            "current_load": 0,
            "max_active_contacts": 5,
        }
    ]
    assert [each["reason"] for each in record.skipped] == ["inactive"]
    assert (record.draw, record.odds) == (0.25, f"{chosen.pk}:3")
    assert (record.actor_type, record.actor_name) == ("user", "boss")


@pytest.mark.parametrize("strategy", ["weighted_random", "least_loaded", "smooth_weighted"])
def test_replaying_thousands_of_stored_decisions_gives_the_stored_operators(strategy):
    rng = random.Random(3)
    source = SourceFactory(strategy=strategy)
    team = [serve(source, weight=rng.randint(1, 9), max_active_contacts=400) for _ in range(6)]
    for _ in range(10):
        create_contacts([Inquiry(source, f"lead:{n}") for n in range(200)], draw=rng.random)
    records = DecisionRecord.objects.exclude(operator_id=None)
    assert records.count() == 2000 == sum(map(load, team))
    for each in records:
        assert replay(each.strategy, each.candidates, each.draw) == each.operator_id


def test_what_a_person_decided_cannot_be_replayed():
    with pytest.raises(ValueError, match="decides nothing"):
        replay("", [], None)


def test_nobody_is_found_again_among_nobody():
    assert replay("weighted_random", [], None) is None
