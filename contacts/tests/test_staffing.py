"""Changes of people, sources and weights that move contacts."""

import pytest

from contacts import handout, staffing
from contacts.models import Contact
from contacts.services import Inquiry, change_status, create_contacts, reassign_contact
from contacts.staffing import (
    OperatorActive,
    assign,
    change_operator,
    change_source,
    delete_operator,
    fill_waiting,
    release_operator,
)
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, load, owner, serve
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def waiting(source, count):
    """So many contacts that wait in the source, oldest first."""
    return [arrive(source, f"lead:{source.pk}:{number}")[0] for number in range(count)]


class TestTheQueueIsServed:
    def test_by_a_close_the_oldest_over_all_sources_of_the_operator_first(self):
        first, second = SourceFactory.create_batch(2)
        operator = serve(first, max_active_contacts=1)
        AssignmentFactory(source=second, operator=operator)
        held, _ = arrive(first)
        (oldest,) = waiting(second, 1)
        (younger,) = waiting(first, 1)
        change_status(held.pk, status="closed")
        assert (owner(oldest), owner(younger)) == (operator, None)

    def test_by_a_reassign_elsewhere(self):
        source = SourceFactory()
        operator = serve(source, max_active_contacts=1)
        held, _ = arrive(source)
        (contact,) = waiting(source, 1)
        reassign_contact(held.pk, operator_id=OperatorFactory().pk)
        assert owner(contact) == operator

    def test_by_a_reopening_that_finds_the_operator_anew(self):
        source = SourceFactory()
        closed = ContactFactory(source=source, operator=OperatorFactory(), status="closed")
        operator = serve(source)
        assert change_status(closed.pk, status="new").operator == operator

    @pytest.mark.parametrize("change", [{"is_active": True}, {"max_active_contacts": 3}])
    def test_by_an_activation_or_a_higher_limit_as_far_as_there_is_room(self, change):
        source = SourceFactory()
        active = "is_active" not in change
        operator = serve(source, is_active=active, max_active_contacts=1 if active else 3)
        ContactFactory(operator=operator)
        contacts = waiting(source, 5)
        change_operator(operator, change)
        assert [owner(each) for each in contacts] == [operator, operator, None, None, None]

    def test_by_a_new_assignment(self):
        source, operator = SourceFactory(), OperatorFactory()
        (contact,) = waiting(source, 1)
        _, created = assign(operator_id=operator.pk, source_id=source.pk, weight=1)
        assert (owner(contact), created) == (operator, True)

    def test_by_switching_it_on_and_not_before(self):
        source = SourceFactory(auto_assign_waiting=False)
        operator = serve(source, max_active_contacts=1)
        held, _ = arrive(source)
        (contact,) = waiting(source, 1)
        change_status(held.pk, status="closed")
        assert owner(contact) is None
        change_source(source, {"auto_assign_waiting": True})
        assert owner(contact) == operator

    def test_also_where_the_source_is_inactive(self):
        source = SourceFactory()
        (contact,) = waiting(source, 1)
        change_source(source, {"is_active": False})
        assign(operator_id=OperatorFactory().pk, source_id=source.pk, weight=1)
        assert owner(contact)

    def test_not_by_a_lower_limit_or_a_deactivation(self):
        source = SourceFactory()
        operator = serve(source, max_active_contacts=2)
        arrive(source), arrive(source)
        (contact,) = waiting(source, 1)
        change_operator(operator, {"max_active_contacts": 1})
        change_operator(operator, {"is_active": False})
        assert (load(operator), owner(contact)) == (2, None)


class TestInBatches:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch):
        monkeypatch.setattr(handout, "BATCH", 3)
        monkeypatch.setattr(staffing, "BATCH", 3)

    def test_an_activation_leaves_nobody_behind(self):
        source = SourceFactory()
        operator = serve(source, is_active=False, max_active_contacts=100)
        contacts = waiting(source, 10)
        change_operator(operator, {"is_active": True})
        assert load(operator) == 10
        order = Contact.objects.filter(pk__in=[each.pk for each in contacts])
        moments = list(order.order_by("pk").values_list("assigned_at", flat=True))
        assert moments == sorted(moments)
        assert len(set(moments)) == 4

    def test_an_arrival_between_two_of_them_overtakes_nobody(self):
        source = SourceFactory()
        contacts = waiting(source, 5)
        # As if whoever assigned this one had been killed before handing out.
        serve(source)
        late, decision = arrive(source)
        assert [bool(owner(each)) for each in contacts] == [True, True, True, False, False]
        assert (owner(late), decision.chosen, len(decision.candidates)) == (None, None, 1)
        assert arrive(source, "next")[0].operator_id
        assert not Contact.objects.filter(operator=None).exists()

    def test_an_arrival_waits_for_the_queue_of_its_own_source_alone(self):
        done, more = SourceFactory.create_batch(2)
        waiting(done, 3), waiting(more, 2)
        serve(done), serve(more)
        made = create_contacts([Inquiry(done, "late"), Inquiry(more, "late")])
        assert [bool(contact.operator) for contact, _ in made] == [True, False]

    def test_a_reopening_between_two_of_them_overtakes_nobody_either(self):
        source = SourceFactory()
        closed = ContactFactory(source=source, operator=OperatorFactory(), status="closed")
        contacts = waiting(source, 5)
        serve(source)
        assert change_status(closed.pk, status="new").operator is None
        assert [bool(owner(each)) for each in contacts] == [True, True, True, False, False]

    def test_handing_out_what_is_left_tells_how_far_it_has_come(self):
        source, off = SourceFactory(), SourceFactory(auto_assign_waiting=False)
        for each in (source, off):
            waiting(each, 4)
            serve(each)
        told = []
        assert fill_waiting(Source.objects.all(), progress=told.append) == 4
        assert told == [3, 4]
        assert fill_waiting(Source.objects.all(), switched_off=True) == 4
        assert fill_waiting(Source.objects.all(), switched_off=True) == 0


class TestRelease:
    def test_the_open_contacts_go_to_others_or_wait_and_closed_ones_stay(self):
        source, alone = SourceFactory(), SourceFactory()
        leaving = serve(source, is_active=False)
        AssignmentFactory(source=alone, operator=leaving)
        other = serve(source, max_active_contacts=1)
        first, second = ContactFactory.create_batch(2, source=source, operator=leaving)
        third = ContactFactory(source=alone, operator=leaving, status="in_progress")
        closed = ContactFactory(source=source, operator=leaving, status="closed")

        release = release_operator(leaving.pk)

        assert (release.released, release.reassigned, release.waiting) == (3, 1, 2)
        owners = [owner(each) for each in (first, second, third, closed)]
        assert owners == [other, None, None, leaving]
        third.refresh_from_db()
        assert (third.status, third.assigned_at) == ("in_progress", None)
        assert third.waiting_since

    def test_an_active_operator_is_refused_unless_both_are_asked_for(self):
        operator = serve(SourceFactory())
        with pytest.raises(OperatorActive):
            release_operator(operator.pk)
        release_operator(operator.pk, deactivate=True)
        operator.refresh_from_db()
        assert not operator.is_active

    def test_who_does_not_exist_is_not_found(self):
        with pytest.raises(Operator.DoesNotExist):
            release_operator(10**6)

    def test_it_takes_as_many_queries_for_one_contact_as_for_twenty(
        self, django_assert_max_num_queries
    ):
        source = SourceFactory()
        leaving = serve(source, max_active_contacts=50, is_active=False)
        serve(source, max_active_contacts=50)
        ContactFactory.create_batch(20, source=source, operator=leaving)
        with django_assert_max_num_queries(14):
            release_operator(leaving.pk)


class TestDelete:
    def test_the_open_contacts_are_released_and_closed_ones_stay_without_operator(self):
        source = SourceFactory()
        leaving, other = serve(source), serve(source)
        contact = ContactFactory(source=source, operator=leaving)
        closed = ContactFactory(source=source, operator=leaving, status="closed")
        assert delete_operator(leaving).reassigned == 1
        assert (owner(contact), owner(closed)) == (other, None)
        assert not Operator.objects.filter(pk=leaving.pk).exists()

    def test_an_active_one_does_not_get_them_back(self):
        source = SourceFactory()
        leaving = serve(source)
        contact = ContactFactory(source=source, operator=leaving)
        delete_operator(leaving)
        (record,) = contact.decisions.all()
        assert (owner(contact), [each["reason"] for each in record.skipped]) == (None, ["excluded"])

    def test_who_is_gone_already_is_not_found(self):
        operator = OperatorFactory()
        delete_operator(operator)
        operator.pk = 10**6
        with pytest.raises(Operator.DoesNotExist):
            delete_operator(operator)
