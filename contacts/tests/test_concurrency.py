"""Races, by threads on PostgreSQL; each with the control that shows the race happens without the
lock. SQLite lets one transaction in at a time and cannot show them.
"""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from contacts import handout, services, staffing
from contacts.models import OPEN, WAITING, Contact
from contacts.services import Inquiry, change_status, create_contact, reassign_contact
from contacts.staffing import (
    assign,
    change_hours,
    change_operator,
    delete_operator,
    release_operator,
)
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import owner
from crm_project.testing.functions import HELD, UNLOCKED, redefined
from crm_project.testing.threads import at_once, elsewhere, meeting, until_somebody_waits
from leads.models import Lead
from operators.models import DayOff, Operator
from operators.services import set_hours
from operators.tests.factories import OperatorFactory
from sources.services import delete_source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("patient"),
]


def arrive(source, number=1):
    return create_contact(Inquiry(source, f"lead:{number}"))[0]


def team(source, *limits):
    return [
        AssignmentFactory(
            source=source, operator=OperatorFactory(max_active_contacts=limit)
        ).operator
        for limit in limits
    ]


def loads():
    open_ones = Contact.objects.filter(OPEN).exclude(operator=None)
    return Counter(open_ones.values_list("operator", flat=True))


def two_arrive_for_one_place(strategy="weighted_random"):
    source = SourceFactory(strategy=strategy)
    team(source, 1)
    _, errors = at_once([lambda n=n: arrive(source, n) for n in range(2)], 2)
    assert errors == []
    return Contact.objects.exclude(operator=None).count()


def held_until_both_wait(*changes):
    """Of two that arrive: one before it writes, and the other there too, or for the first."""
    with redefined(HELD, *changes), connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("SELECT pg_advisory_lock(1)")
        arriving = pool.submit(elsewhere, two_arrive_for_one_place)
        try:
            until_somebody_waits(many=2)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(1)")
        return arriving.result()


def test_two_arrivals_do_not_share_the_last_place():
    assert held_until_both_wait() == 1


def test_without_the_lock_they_would_share_it():
    # Guards the test above: if this one fails, that one proves nothing.
    assert held_until_both_wait(UNLOCKED) == 2


class TestTheLongWay:
    """Two decisions would meet between the count and the insert."""

    def test_two_arrivals_do_not_share_the_last_place(self, monkeypatch):
        monkeypatch.setattr(handout, "draw_one", meeting(handout.draw_one, seconds=0.7))
        assert two_arrive_for_one_place("least_loaded") == 1

    def test_without_the_lock_they_would_share_it(self, monkeypatch):
        # Guards the test above: if this one fails, that one proves nothing.
        monkeypatch.setattr(handout, "draw_one", meeting(handout.draw_one, seconds=10))
        monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **kwargs: self)
        assert two_arrive_for_one_place("least_loaded") == 2


def test_400_arrivals_on_32_threads_take_exactly_the_50_places():
    source = SourceFactory()
    operators = team(source, 10, 10, 10, 10, 10)
    _, errors = at_once(
        [lambda n=n: arrive(source, n) for n in range(400)],
        32,
    )
    assert errors == []
    assert loads() == {operator.pk: 10 for operator in operators}
    assert Contact.objects.count() == 400


def test_64_arrivals_of_one_new_lead_make_one_lead_and_64_contacts():
    source = SourceFactory()
    team(source, 100)
    _, errors = at_once([lambda: arrive(source) for _ in range(64)], 32)
    assert errors == []
    assert (Lead.objects.count(), Contact.objects.count()) == (1, 64)


def test_a_double_close_from_8_threads_frees_one_place():
    operator = OperatorFactory()
    contact, _other = ContactFactory.create_batch(2, operator=operator)
    closed, errors = at_once([lambda: change_status(contact.pk, status="closed")] * 8, 8)
    assert errors == []
    assert loads() == {operator.pk: 1}
    assert len({one.closed_at for one in closed}) == 1


def test_a_waiting_contact_is_closed_once_where_no_operator_is_locked():
    contact = ContactFactory()
    closed, errors = at_once([lambda: change_status(contact.pk, status="closed")] * 64, 16)
    assert errors == []
    assert len({one.closed_at for one in closed}) == 1


def test_a_double_reopening_takes_one_place_and_never_exceeds_the_limit():
    source = SourceFactory()
    (operator,) = team(source, 3)
    closed = ContactFactory.create_batch(8, source=source, operator=operator, status="closed")
    _, errors = at_once([lambda c=c: change_status(c.pk, status="new") for c in closed * 2], 8)
    assert errors == []
    assert loads() == {operator.pk: 3}


def crossing_reassigns(rounds):
    first, second = OperatorFactory(), OperatorFactory()
    source = SourceFactory()
    for operator in (first, second):
        AssignmentFactory(source=source, operator=operator)
    here = ContactFactory(source=source, operator=first)
    there = ContactFactory(source=source, operator=second)
    calls = [
        lambda c=c, o=o: reassign_contact(c.pk, operator_id=o.pk)
        for _ in range(rounds)
        for c, o in ((here, second), (there, first), (here, first), (there, second))
    ]
    return at_once(calls, 4)


def test_crossing_reassigns_never_deadlock():
    results, errors = crossing_reassigns(40)
    assert errors == []
    assert len(results) == 160


def test_without_the_order_of_locks_they_would_deadlock(monkeypatch):
    # Guards the test above. Each thread locks the same operators in another order.
    def disordered(*, sources=(), operators=()):
        for pk in random.sample(sorted(operators), len(operators)):
            list(Operator.objects.select_for_update(no_key=True).filter(pk=pk))
        return lock_operators(sources=sources, operators=operators)

    lock_operators = services.lock_operators
    monkeypatch.setattr(services, "lock_operators", disordered)
    for _ in range(10):
        _, errors = crossing_reassigns(40)
        if any("deadlock" in str(error) for error in errors):
            return
    pytest.fail("no deadlock in ten rounds")


def test_a_storm_keeps_every_limit():
    """Creates, closes, reopenings and reassigns at once: no error, nobody above the limit."""
    source, other = SourceFactory(), SourceFactory()
    operators = team(source, 3, 4, 5)
    AssignmentFactory(source=other, operator=operators[0])
    kept = [arrive(other, number) for number in range(6)]
    calls = []
    for number in range(60):
        contact = kept[number % 6]
        where = (source, other)[number % 2]
        calls += [
            lambda n=number, s=where: arrive(s, n % 7),
            lambda c=contact: change_status(c.pk, status="closed"),
            lambda c=contact: change_status(c.pk, status="new"),
        ]
    _, errors = at_once(calls, 12)
    assert errors == []
    limits = {operator.pk: operator.max_active_contacts for operator in operators}
    assert all(load <= limits[pk] for pk, load in loads().items())
    for contact in Contact.objects.all():
        assert contact.is_open == (contact.closed_at is None)


def test_deleting_an_operator_amid_arrivals_loses_no_contact():
    source = SourceFactory()
    leaving, _staying = team(source, 200, 200)
    calls = [lambda n=n: arrive(source, n) for n in range(60)]
    calls.insert(20, lambda: delete_operator(leaving))
    _, errors = at_once(calls, 8)
    assert errors == []
    assert Contact.objects.exclude(operator=None).count() == 60
    assert leaving.pk not in loads()


class TestNobodyWaitsBesideAFreeOperator:
    """The lost wake-up: one looks who is free while the other looks who waits."""

    @staticmethod
    def rounds(count, prepare, free):
        """How many of so many rounds end with a contact that waits although there is room."""
        stuck = 0
        for number in range(count):
            source = SourceFactory()
            busy = prepare(source)
            calls = [lambda s=source, n=number: arrive(s, n), lambda b=busy: free(b)]
            _, errors = at_once(calls, 2)
            assert errors == []
            stuck += source.contacts.filter(WAITING).exists()
        return stuck

    @staticmethod
    def full_operator(source):
        (operator,) = team(source, 1)
        return ContactFactory(source=source, operator=operator)

    def test_when_a_close_meets_an_arrival(self):
        assert not self.rounds(
            60, self.full_operator, lambda held: change_status(held.pk, status="closed")
        )

    def test_when_a_reassign_meets_an_arrival(self):
        target = OperatorFactory(max_active_contacts=1000)
        assert not self.rounds(
            60,
            self.full_operator,
            lambda held: reassign_contact(held.pk, operator_id=target.pk),
        )

    def test_when_an_activation_meets_an_arrival(self):
        def inactive(source):
            (operator,) = team(source, 1)
            return change_operator(operator, {"is_active": False})

        assert not self.rounds(60, inactive, lambda one: change_operator(one, {"is_active": True}))

    def test_when_other_hours_meet_an_arrival(self):
        def off_duty(source):
            (operator,) = team(source, 1)
            today = timezone.localdate()
            return set_hours(operator, days_off=[DayOff(first_day=today, last_day=today)])

        assert not self.rounds(60, off_duty, lambda one: change_hours(one, days_off=[]))

    def test_when_a_first_assignment_meets_an_arrival(self):
        def free(source):
            operator = OperatorFactory()
            assign(operator_id=operator.pk, source_id=source.pk, weight=1)

        assert not self.rounds(60, lambda source: source, free)

    def test_without_the_lock_of_the_closing_side_some_would(self, monkeypatch):
        # Guards the first of these: the arrival counts, then waits for the close to look.
        counted, looked = threading.Event(), threading.Event()

        def unlocked(*, sources=(), operators=()):
            if threading.current_thread().name != "closing":
                return lock_operators(sources=sources, operators=operators)
            return {one.pk: one for one in Operator.objects.filter(assignments__source__in=sources)}

        def arrive_slowly(*args):
            counted.set()
            looked.wait(10)
            return draw_one(*args)

        def close(held):
            threading.current_thread().name = "closing"
            counted.wait(10)
            change_status(held.pk, status="closed")
            looked.set()

        lock_operators, draw_one = services.lock_operators, handout.draw_one
        monkeypatch.setattr(services, "lock_operators", unlocked)
        monkeypatch.setattr(handout, "draw_one", arrive_slowly)
        assert self.rounds(1, self.full_operator, close) == 1


def test_a_rotation_gives_exact_counts_from_16_threads():
    source = SourceFactory(strategy="smooth_weighted")
    operators = team(source, 500, 500, 500, 500)
    weights = {one.pk: weight for one, weight in zip(operators, (7, 5, 3, 1), strict=True)}
    for pk, weight in weights.items():
        assign(operator_id=pk, source_id=source.pk, weight=weight)
    _, errors = at_once([lambda n=n: arrive(source, n) for n in range(16 * 12)], 16)
    assert errors == []
    assert loads() == {pk: weight * 12 for pk, weight in weights.items()}


def test_a_drain_in_batches_amid_arrivals_leaves_nobody_and_overtakes_nobody(monkeypatch):
    monkeypatch.setattr(handout, "BATCH", 5)
    monkeypatch.setattr(staffing, "BATCH", 5)
    source = SourceFactory()
    (operator,) = team(source, 200)
    change_operator(operator, {"is_active": False})
    for number in range(60):
        arrive(source, number)
    calls = [lambda n=n: arrive(source, n) for n in range(40)]
    calls.insert(0, lambda: change_operator(operator, {"is_active": True}))
    _, errors = at_once(calls, 8)
    assert errors == []
    assert loads() == {operator.pk: 100}
    given = source.contacts.order_by("decisions__pk").filter(decisions__operator_id=operator.pk)
    order = list(given.values_list("pk", flat=True))
    assert order[:60] == sorted(order[:60])


def test_two_releases_into_each_other_keep_the_limits_and_lose_nothing():
    source = SourceFactory()
    first, second, _third = team(source, 6, 6, 4)
    for number in range(16):
        arrive(source, number)
    calls = [
        lambda o=operator: release_operator(o.pk, deactivate=True) for operator in (first, second)
    ]
    _, errors = at_once(calls, 2)
    assert errors == []
    assert source.contacts.filter(OPEN).count() == 16
    assert sum(loads().values()) <= 4 + 12
    assert loads()[_third.pk] == 4


def test_deleting_a_source_meets_a_new_weight_without_deadlock():
    for _ in range(30):
        source = SourceFactory()
        (operator,) = team(source, 1)
        calls = [
            lambda s=source: delete_source(s),
            lambda s=source, o=operator: assign(operator_id=o.pk, source_id=s.pk, weight=5),
        ]
        _, errors = at_once(calls, 2)
        assert not [error for error in errors if "deadlock" in str(error)]


class TestWhatChangesBeforeTheLocksAreHeld:
    """What was read to know whom to lock may be stale once the locks are there."""

    @pytest.fixture
    def meanwhile(self, monkeypatch):
        """Make something happen elsewhere just before the first locks are taken."""

        def arrange(module, event, name="lock_operators"):
            events, real = [event], getattr(module, name)

            def interrupted(*args, **kwargs):
                if events:
                    elsewhere(events.pop())
                return real(*args, **kwargs)

            monkeypatch.setattr(module, name, interrupted)

        return arrange

    def test_a_contact_that_changed_hands_is_locked_anew(self, meanwhile):
        contact, stranger = ContactFactory(operator=OperatorFactory()), OperatorFactory()
        meanwhile(services, lambda: Contact.objects.update(operator=stranger))
        assert change_status(contact.pk, status="closed").operator == stranger

    def test_a_contact_that_came_to_wait_gets_the_place_all_the_same(self, meanwhile):
        source = SourceFactory()
        (operator,) = team(source, 1)
        held = ContactFactory(source=source, operator=operator)
        late = []
        meanwhile(services, lambda: late.append(ContactFactory(source=source)))
        change_status(held.pk, status="closed")
        assert owner(late[0]) == operator

    def test_a_contact_that_came_to_wait_gets_the_activated_operator(self, meanwhile):
        source = SourceFactory()
        (operator,) = team(source, 1)
        Operator.objects.update(is_active=False)
        late = []
        meanwhile(staffing, lambda: late.append(ContactFactory(source=source)))
        change_operator(operator, {"is_active": True})
        assert owner(late[0]) == operator

    def test_an_operator_assigned_meanwhile_is_there_before_a_contact_waits(self, meanwhile):
        source, operator = SourceFactory(), OperatorFactory()
        meanwhile(
            services,
            lambda: AssignmentFactory(source=source, operator=operator),
            "lock_for_parking",
        )
        assert arrive(source).operator == operator

    def test_a_contact_that_came_to_an_operator_being_released_goes_out_too(self, meanwhile):
        source = SourceFactory()
        leaving, other = team(source, 5, 5)
        meanwhile(staffing, lambda: ContactFactory(source=source, operator=leaving))
        assert delete_operator(leaving).reassigned == 1
        assert loads() == {other.pk: 1}

    def test_one_of_a_source_that_was_not_looked_at_is_found_too(self, meanwhile):
        leaving, elsewhere_too = OperatorFactory(), SourceFactory()
        meanwhile(staffing, lambda: ContactFactory(source=elsewhere_too, operator=leaving))
        assert delete_operator(leaving).waiting == 1


def test_who_waited_for_a_reassign_sees_the_new_operator_with_his_name():
    # On PostgreSQL a join of the locking statement keeps the row from before the wait.
    contact, other = ContactFactory(operator=OperatorFactory()), OperatorFactory(name="Борис")
    with ThreadPoolExecutor(1) as pool, closing_connections(pool):
        with transaction.atomic():
            Contact.objects.filter(pk=contact.pk).update(operator=other)
            taken = pool.submit(change_status, contact.pk, status="in_progress")
            until_somebody_waits()
        assert taken.result(10).operator.name == "Борис"


@contextmanager
def closing_connections(pool):
    try:
        yield
    finally:
        pool.submit(connections.close_all).result()
