"""The services, one thread; the races are in test_concurrency.py."""

import random
from collections import Counter

import pytest

from contacts import availability
from contacts.availability import Availability
from contacts.distribution import draw_one, sort_out, weigh
from contacts.models import Contact
from contacts.services import (
    ContactClosed,
    Inquiry,
    OperatorFull,
    OperatorInactive,
    SourceInactive,
    change_status,
    create_contact,
    create_contacts,
    reassign_contact,
)
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, load, serve
from crm_project.testing.queries import capture_sql
from leads.models import Lead
from leads.services import Profile
from operators.services import update_operator
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


class TestCreate:
    def test_the_draw_decides_by_weight(self):
        source = SourceFactory()
        heavy, light = serve(source, weight=3), serve(source, weight=1)
        assert arrive(source, draw=lambda: 0.74)[0].operator == heavy
        assert arrive(source, draw=lambda: 0.75)[0].operator == light

    def test_nobody_is_taken_above_the_limit(self):
        source = SourceFactory()
        operator = serve(source, max_active_contacts=2)
        assert [arrive(source)[0].operator for _ in range(3)] == [operator, operator, None]

    def test_the_load_counts_over_all_sources(self):
        source = SourceFactory()
        operator = serve(source, max_active_contacts=1)
        ContactFactory(operator=operator)
        assert arrive(source)[0].operator is None

    def test_a_closed_contact_takes_no_place(self):
        source = SourceFactory()
        operator = serve(source, max_active_contacts=1)
        ContactFactory(operator=operator, status="closed")
        assert arrive(source)[0].operator == operator

    def test_an_inactive_or_foreign_operator_gets_nothing(self):
        source = SourceFactory()
        serve(source, is_active=False)
        serve(SourceFactory())
        contact, decision = arrive(source)
        assert (contact.operator, contact.assigned_at, decision.chosen) == (None, None, None)

    def test_an_inactive_source_takes_nothing(self):
        with pytest.raises(SourceInactive):
            arrive(SourceFactory(is_active=False))
        assert not Lead.objects.exists()

    def test_the_lead_is_found_and_only_what_is_empty_is_filled(self):
        source = SourceFactory()
        create_contact(Inquiry(source, "lead:1", profile=Profile(name="Anna")))
        again = Inquiry(source, "lead:1", profile=Profile(name="Other", phone="+7"))
        contact, _ = create_contact(again)
        lead = Lead.objects.get()
        assert (lead.name, lead.phone, lead.email) == ("Anna", "+7", "")
        assert (contact.lead.name, contact.lead.phone) == ("Anna", "+7")

    def test_external_ids_that_differ_in_case_are_two_leads(self):
        source = SourceFactory()
        arrive(source, external_id="a")
        arrive(source, external_id="A")
        arrive(source, external_id=" a")
        assert Lead.objects.count() == 3

    @pytest.mark.parametrize("operators", [1, 40])
    def test_the_number_of_queries_depends_on_nothing(
        self, operators, django_assert_max_num_queries
    ):
        source = SourceFactory()
        for _ in range(operators):
            ContactFactory.create_batch(operators, operator=serve(source, max_active_contacts=100))
        # Two of them are the bounds of the transaction.
        with django_assert_max_num_queries(8):
            arrive(source, external_id="new")

    def test_operators_are_locked_in_order_before_they_are_counted(self):
        source = SourceFactory(strategy="least_loaded")
        serve(source)
        statements = capture_sql(lambda: arrive(source))
        in_order = 'ORDER BY "operators_operator"."id" ASC'
        lock = next(i for i, sql in enumerate(statements) if in_order in sql)
        looks = [i for i, sql in enumerate(statements) if "open_contacts" in sql]
        assert looks == [each for each in looks if each > lock] != []


def test_who_was_assigned_after_the_locks_were_taken_is_not_ours_to_choose():
    source = SourceFactory()
    locked = {one.pk: one for one in [serve(source)]}
    serve(source)
    candidates = Availability([source.pk], locked=locked).candidates(source)
    assert [each.operator_id for each in candidates] == list(locked)


@pytest.mark.postgres
def test_the_lock_is_taken_in_order_of_pk_and_lets_foreign_keys_through():
    source = SourceFactory(strategy="least_loaded")
    serve(source)
    statements = capture_sql(lambda: arrive(source))
    leads, lock = [sql for sql in statements if "FOR NO KEY UPDATE" in sql]
    assert 'FROM "leads_lead"' in leads
    assert lock.endswith('ORDER BY "operators_operator"."id" ASC FOR NO KEY UPDATE')


class TestStatus:
    def test_closing_frees_a_place_and_closing_twice_frees_one(self):
        operator = OperatorFactory()
        contact, _other = ContactFactory.create_batch(2, operator=operator)
        closed = change_status(contact.pk, status="closed")
        again = change_status(contact.pk, status="closed")
        assert load(operator) == 1
        assert closed.closed_at == again.closed_at is not None

    def test_taking_into_work_keeps_the_place(self):
        contact = ContactFactory(operator=OperatorFactory())
        assert change_status(contact.pk, status="in_progress").operator == contact.operator
        assert load(contact.operator) == 1

    def test_a_waiting_contact_may_be_taken_and_closed(self):
        contact = ContactFactory()
        assert change_status(contact.pk, status="in_progress").operator is None
        assert change_status(contact.pk, status="closed").closed_at

    def test_reopening_goes_to_the_same_operator_if_available(self):
        source = SourceFactory()
        serve(source, weight=1000)
        same = serve(source)
        contact = ContactFactory(source=source, operator=same, status="closed")
        reopened = change_status(contact.pk, status="new", draw=lambda: 0.0)
        assert (reopened.operator, reopened.closed_at) == (same, None)

    @pytest.mark.parametrize("change", [{"is_active": False}, {"max_active_contacts": 1}])
    def test_reopening_goes_to_another_if_the_same_is_unavailable(self, change):
        source = SourceFactory()
        same, other = serve(source), serve(source)
        contact = ContactFactory(source=source, operator=same, status="closed")
        ContactFactory(operator=same)
        update_operator(same, **change)
        assert change_status(contact.pk, status="new").operator == other

    def test_reopening_goes_to_another_if_the_same_is_no_longer_assigned(self):
        source = SourceFactory()
        other = serve(source)
        contact = ContactFactory(source=source, operator=OperatorFactory(), status="closed")
        assert change_status(contact.pk, status="in_progress").operator == other

    def test_reopening_waits_where_nobody_is_available(self):
        contact = ContactFactory(operator=OperatorFactory(), status="closed")
        reopened = change_status(contact.pk, status="new")
        assert (reopened.operator, reopened.assigned_at) == (None, None)

    def test_an_unknown_status_is_refused(self):
        with pytest.raises(ValueError, match="lost"):
            change_status(ContactFactory().pk, status="lost")


class TestReassign:
    def test_it_goes_to_one_of_the_others(self):
        source = SourceFactory()
        mine, other = serve(source, weight=1000), serve(source)
        contact = ContactFactory(source=source, operator=mine)
        done = reassign_contact(contact.pk)
        assert (done.contact.operator, done.moved) == (other, True)

    def test_a_waiting_contact_finds_somebody(self):
        source = SourceFactory(auto_assign_waiting=False)
        operator = serve(source)
        assert reassign_contact(ContactFactory(source=source).pk).contact.operator == operator

    def test_it_stays_where_nobody_else_is_available(self):
        source = SourceFactory()
        mine = serve(source, max_active_contacts=1)
        done = reassign_contact(ContactFactory(source=source, operator=mine).pk)
        assert (done.contact.operator, done.moved) == (mine, False)

    def test_it_waits_if_its_operator_is_inactive(self):
        source = SourceFactory()
        contact = ContactFactory(source=source, operator=serve(source, is_active=False))
        done = reassign_contact(contact.pk)
        assert (done.contact.operator, done.contact.assigned_at, done.moved) == (None, None, True)

    def test_it_waits_if_its_operator_is_no_longer_assigned(self):
        contact = ContactFactory(operator=OperatorFactory())
        assert reassign_contact(contact.pk).contact.operator is None

    def test_a_named_operator_gets_it_assigned_to_the_source_or_not(self):
        target = OperatorFactory()
        done = reassign_contact(ContactFactory().pk, operator_id=target.pk)
        assert (done.contact.operator, done.moved, done.decision.strategy) == (target, True, None)

    def test_an_inactive_operator_is_refused_even_by_force(self):
        target = OperatorFactory(is_active=False)
        with pytest.raises(OperatorInactive):
            reassign_contact(ContactFactory().pk, operator_id=target.pk, force=True)

    def test_a_full_operator_takes_it_by_force_only(self):
        target = OperatorFactory(max_active_contacts=1)
        ContactFactory(operator=target)
        contact = ContactFactory()
        with pytest.raises(OperatorFull):
            reassign_contact(contact.pk, operator_id=target.pk)
        assert reassign_contact(contact.pk, operator_id=target.pk, force=True).moved
        assert load(target) == 2

    def test_the_operator_it_has_is_no_change_even_inactive(self):
        mine = OperatorFactory(is_active=False)
        contact = ContactFactory(operator=mine)
        done = reassign_contact(contact.pk, operator_id=mine.pk)
        assert (done.contact.operator, done.moved) == (mine, False)
        assert done.contact.assigned_at == contact.assigned_at

    def test_a_closed_contact_is_refused(self):
        with pytest.raises(ContactClosed):
            reassign_contact(ContactFactory(status="closed").pk)


def test_an_operator_assigned_too_late_to_be_locked_is_no_candidate(monkeypatch):
    source = SourceFactory()
    mine = serve(source)

    def assign_one_more(source_ids, *, now):
        serve(source, weight=1000)
        return who_serves(source_ids, now=now)

    who_serves = availability.who_serves
    monkeypatch.setattr(availability, "who_serves", assign_one_more)
    contact, decision = arrive(source, draw=lambda: 0.999)
    assert (contact.operator, len(decision.candidates)) == (mine, 1)


def test_a_place_that_is_freed_is_there_for_the_next():
    source = SourceFactory()
    mine = serve(source, max_active_contacts=1)
    arrive(source)
    available = Availability([source.pk])
    assert available.weigh(source).candidates == ()
    available.free(mine.pk)
    assert [each.operator_id for each in available.weigh(source).candidates] == [mine.pk]


class TestManyAtOnce:
    def test_the_outcome_is_as_if_they_had_come_one_by_one(self):
        source = SourceFactory()
        serve(source, max_active_contacts=2), serve(source, max_active_contacts=1)
        made = create_contacts([Inquiry(source, f"lead:{n}") for n in range(5)], draw=lambda: 0.6)
        loads = [[each.load for each in decision.candidates] for _, decision in made]
        assert loads == [[0, 0], [0], [1], [], []]

    def test_each_is_weighed_as_all_before_left_the_operators(self):
        one, other = SourceFactory(), SourceFactory()
        shared = [OperatorFactory(max_active_contacts=limit) for limit in (2, 3, 9)]
        for operator in shared:
            AssignmentFactory(source=one, operator=operator, weight=operator.max_active_contacts)
            AssignmentFactory(source=other, operator=operator)
        serve(other, max_active_contacts=1)
        draws = random.Random(7)
        inquiries = [Inquiry(one if n % 3 else other, f"lead:{n}") for n in range(20)]
        made = create_contacts(inquiries, draw=draws.random)
        held = Counter()
        for contact, decision in made:
            known = [*decision.candidates, *(each.candidate for each in decision.skipped)]
            assert {each.operator_id: each.load for each in known} == {
                each.operator_id: held[each.operator_id] for each in known
            }
            fresh = weigh(*sort_out(sorted(known, key=lambda each: each.operator_id)))
            assert decision == draw_one(fresh, lambda drawn=decision.draw: drawn)
            held[contact.operator_id] += 1
        assert held[None] == 5

    def test_they_take_few_queries(self, django_assert_max_num_queries):
        source = SourceFactory()
        serve(source, max_active_contacts=1000)
        # SQLite takes long lists in parts.
        with django_assert_max_num_queries(17):
            create_contacts([Inquiry(source, f"lead:{n}") for n in range(300)])

    def test_all_come_or_none(self):
        inquiries = [Inquiry(SourceFactory(is_active=active), "lead:1") for active in (True, False)]
        with pytest.raises(SourceInactive):
            create_contacts(inquiries)
        assert not Contact.objects.exists()
