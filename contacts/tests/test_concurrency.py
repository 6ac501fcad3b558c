"""Races, by threads on PostgreSQL; each with the control that shows the race happens without the
lock. SQLite lets one transaction in at a time and cannot show them.
"""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connections
from django.db.models import QuerySet

from contacts import availability
from contacts.models import OPEN, Contact
from contacts.services import (
    Availability,
    change_status,
    create_contact,
    delete_operator,
    reassign_contact,
)
from contacts.tests.factories import ContactFactory
from leads.models import Lead
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def at_once(calls, threads):
    """Run the calls on so many threads that start together; return results and errors."""
    start = threading.Barrier(threads)
    todo = list(calls)
    results, errors = [], []

    def work(share):
        start.wait()
        try:
            for call in share:
                results.append(call())
        except Exception as error:  # told by the test
            errors.append(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        for number in range(threads):
            pool.submit(work, todo[number::threads])
    return results, errors


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


@pytest.fixture
def meet_before_writing(monkeypatch):
    """Two decisions wait for each other between the count and the insert, if they can."""
    meeting = threading.Barrier(2)

    def decide(*args, **kwargs):
        decision = availability_decide(*args, **kwargs)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.7)
        return decision

    availability_decide = availability.decide
    monkeypatch.setattr(availability, "decide", decide)


def two_arrive_for_one_place():
    source = SourceFactory()
    team(source, 1)
    _, errors = at_once(
        [lambda n=n: create_contact(source=source, external_id=f"lead:{n}") for n in range(2)], 2
    )
    assert errors == []
    return Contact.objects.exclude(operator=None).count()


def test_two_arrivals_do_not_share_the_last_place(meet_before_writing):
    assert two_arrive_for_one_place() == 1


def test_without_the_lock_they_would_share_it(meet_before_writing, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **kwargs: self)
    assert two_arrive_for_one_place() == 2


def test_400_arrivals_on_32_threads_take_exactly_the_50_places():
    source = SourceFactory()
    operators = team(source, 10, 10, 10, 10, 10)
    _, errors = at_once(
        [lambda n=n: create_contact(source=source, external_id=f"lead:{n}") for n in range(400)],
        32,
    )
    assert errors == []
    assert loads() == {operator.pk: 10 for operator in operators}
    assert Contact.objects.count() == 400


def test_64_arrivals_of_one_new_lead_make_one_lead_and_64_contacts():
    source = SourceFactory()
    team(source, 100)
    _, errors = at_once(
        [lambda: create_contact(source=source, external_id="tg:1") for _ in range(64)], 32
    )
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
    # Guards the test above. Each thread locks its contact's operator first, then the others.
    class Disordered(Availability):
        def __init__(self, *, sources=(), operators=()):
            for pk in operators:
                list(Operator.objects.select_for_update(no_key=True).filter(pk=pk))
            super().__init__(sources=sources, operators=operators)

    monkeypatch.setattr("contacts.services.Availability", Disordered)
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
    kept = ContactFactory.create_batch(6, source=other)
    calls = []
    for number in range(60):
        contact = kept[number % 6]
        where = (source, other)[number % 2]
        calls += [
            lambda n=number, s=where: create_contact(source=s, external_id=f"lead:{n % 7}"),
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
    calls = [lambda n=n: create_contact(source=source, external_id=f"lead:{n}") for n in range(60)]
    calls.insert(20, lambda: delete_operator(leaving))
    _, errors = at_once(calls, 8)
    assert errors == []
    assert Contact.objects.exclude(operator=None).count() == 60
    assert leaving.pk not in loads()
