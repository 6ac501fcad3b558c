"""The rules of a source, in the database: its strategy, stickiness, and the turns it keeps."""

from collections import Counter

import pytest
from django.utils import timezone

from contacts.models import Rotation
from contacts.services import Inquiry, change_status, create_contacts, reassign_contact
from contacts.staffing import change_operator, delete_operator
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, owner, serve
from leads.tests.factories import LeadFactory
from sources.services import change_weight
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def test_the_least_loaded_is_taken():
    source = SourceFactory(strategy="least_loaded")
    busy, free = serve(source, max_active_contacts=2), serve(source, max_active_contacts=10)
    ContactFactory(operator=busy)
    ContactFactory.create_batch(4, operator=free)
    contact, decision = arrive(source)
    assert (contact.operator, decision.draw, decision.shares()) == (free, None, [0, 1])


@pytest.mark.parametrize("at_once", [1, 4])
def test_in_turn_each_gets_exactly_the_weight_over_a_cycle(at_once):
    source = SourceFactory(strategy="smooth_weighted")
    weights = {serve(source, weight=weight).pk: weight for weight in (5, 2, 1)}
    for number in range(0, 8, at_once):
        create_contacts([Inquiry(source, f"lead:{number + n}") for n in range(at_once)])
    made = Counter(source.contacts.values_list("operator", flat=True))
    assert made == weights
    assert Rotation.objects.get().turns == {}


def test_who_comes_back_goes_on_where_the_turns_were():
    source = SourceFactory(strategy="smooth_weighted")
    first, second = serve(source, weight=2), serve(source, weight=1)
    assert arrive(source)[0].operator == first
    change_operator(first, {"is_active": False})
    assert [arrive(source)[0].operator for _ in range(2)] == [second, second]
    change_operator(first, {"is_active": True})
    assert [arrive(source)[0].operator for _ in range(2)] == [second, first]


def test_another_weight_begins_another_cycle():
    source = SourceFactory(strategy="smooth_weighted")
    first = serve(source, weight=1)
    serve(source, weight=1)
    assert arrive(source)[0].operator == first
    change_weight(source.assignments.get(operator=first), weight=2)
    assert arrive(source)[0].operator == first


def test_a_sticky_source_takes_the_leads_latest_operator_of_whatever_source():
    source, lead = SourceFactory(sticky=True), LeadFactory(external_id="lead:1")
    serve(source, weight=1000)
    known = serve(source)
    ContactFactory(lead=lead, operator=known, status="closed")
    contact, decision = arrive(source, draw=lambda: 0.0)
    assert (contact.operator, decision.strategy, decision.draw) == (known, "sticky", None)


@pytest.mark.parametrize("obstacle", ["full", "inactive", "not assigned"])
def test_where_that_one_cannot_take_it_the_strategy_decides(obstacle):
    source, lead = SourceFactory(sticky=True), LeadFactory(external_id="lead:1")
    other = serve(source)
    known = AssignmentFactory(
        source=source if obstacle != "not assigned" else SourceFactory(),
        operator__max_active_contacts=1,
        operator__is_active=obstacle != "inactive",
    ).operator
    ContactFactory(lead=lead, operator=known, status="new" if obstacle == "full" else "closed")
    contact, decision = arrive(source)
    assert (contact.operator, decision.strategy) == (other, "weighted_random")


def test_a_source_that_is_not_sticky_does_not_ask_for_the_latest():
    source, lead = SourceFactory(), LeadFactory(external_id="lead:1")
    heavy, known = serve(source, weight=1000), serve(source)
    ContactFactory(lead=lead, operator=known, status="closed")
    assert arrive(source, draw=lambda: 0.0)[0].operator == heavy


def test_of_many_at_once_the_second_of_a_lead_sticks_to_the_first():
    source = SourceFactory(sticky=True)
    serve(source), serve(source)
    draws = iter([0.9, 0.1])
    made = create_contacts([Inquiry(source, "lead:1")] * 2, draw=lambda: next(draws))
    assert made[0][0].operator == made[1][0].operator


def test_a_sticky_lead_waits_behind_those_who_wait_and_then_sticks():
    source = SourceFactory(sticky=True)
    known = serve(source, max_active_contacts=1)
    first, _ = arrive(source, "lead:1")
    waits, _ = arrive(source, "lead:1")
    serve(SourceFactory())
    change_status(first.pk, status="closed")
    waits.refresh_from_db()
    assert waits.operator == known
    assert waits.decisions.first().strategy == "sticky"


def test_of_two_contacts_of_one_moment_the_second_is_the_latest():
    source, lead = SourceFactory(sticky=True), LeadFactory(external_id="lead:1")
    leaving, first, last = serve(source), serve(source, weight=1000), serve(source)
    moment = timezone.now()
    earlier = ContactFactory(source=source, lead=lead, operator=leaving, created_at=moment)
    ContactFactory(source=source, lead=lead, operator=last, created_at=moment)
    delete_operator(leaving)
    assert (owner(earlier), first.contacts.count()) == (last, 0)
    assert arrive(source, draw=lambda: 0.0)[0].operator == last


@pytest.mark.parametrize("sticky", [False, True])
def test_who_gave_a_contact_up_is_no_longer_its_leads_latest(sticky):
    here, there = SourceFactory(sticky=sticky), SourceFactory(sticky=True)
    operator = serve(here, max_active_contacts=1)
    AssignmentFactory(source=there, operator=operator)
    held, _ = arrive(here)
    waits, _ = arrive(there)
    here.assignments.all().delete()
    reassign_contact(held.pk)  # it waits from now on, and frees the operator for the other one
    record = waits.decisions.first()
    assert (record.operator_id, record.strategy) == (operator.pk, "weighted_random")
