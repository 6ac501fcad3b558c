"""Random histories: every operation in any order, and after each the invariants of DESIGN.md.

HISTORIES says how many (a few dozen by default, 300 in continuous integration).
"""

import os
import random

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from contacts import handout, staffing
from contacts.services import (
    ContactClosed,
    Inquiry,
    OperatorFull,
    OperatorInactive,
    SourceInactive,
    change_status,
    create_contacts,
    reassign_contact,
)
from contacts.staffing import (
    OperatorActive,
    assign,
    change_operator,
    change_source,
    delete_operator,
    fill_waiting,
    release_operator,
)
from contacts.tests.ledger import Channel, Ledger, Person
from operators.models import Operator
from operators.services import create_operator
from sources.models import Assignment, Source
from sources.services import (
    SourceInUse,
    change_weight,
    create_source,
    delete_source,
    remove_assignment,
)

HISTORIES = int(os.environ.get("HISTORIES", "40"))
STEPS = 30

# Few of everything, so that they get into each other's way.
which = st.integers(0, 7)
limits = st.integers(1, 4)
weights = st.integers(1, 4)
people = st.sampled_from(["лид:1", "лид:2", "лид:3"])
statuses = st.sampled_from(["new", "in_progress", "closed"])
strategies = st.sampled_from(["weighted_random", "least_loaded", "smooth_weighted"])
flags = st.booleans()
mostly = st.sampled_from([True, True, True, False])

leads = st.lists(st.tuples(which, people), min_size=1, max_size=4)
changes_of_a_source = st.fixed_dictionaries(
    {},
    optional={
        "auto_assign_waiting": flags,
        "sticky": flags,
        "is_active": mostly,
        "strategy": strategies,
    },
)
# How often each is tried, beside the others, and with what.
OPERATIONS = {
    "hire": (1, {"limit": limits, "active": mostly}),
    "open_source": (1, {"auto": mostly, "sticky": flags, "strategy": strategies}),
    "delete_source": (1, {"source": which}),
    "assign": (3, {"operator": which, "source": which, "weight": weights}),
    "change_weight": (1, {"pair": which, "weight": weights}),
    "remove_assignment": (1, {"pair": which}),
    "change_operator": (
        4,
        {"operator": which, "active": st.none() | mostly, "limit": st.none() | st.integers(1, 6)},
    ),
    "change_source": (2, {"source": which, "changes": changes_of_a_source}),
    "arrive": (2, {"arrivals": leads}),
    "arrive_alone": (2, {"source": which, "lead": people}),
    "change_status": (3, {"contact": which, "status": statuses}),
    "close": (5, {"contact": which}),
    "reassign": (2, {"contact": which}),
    "reassign_to": (2, {"contact": which, "operator": which, "force": flags}),
    "release": (1, {"operator": which, "deactivate": flags}),
    "dismiss": (1, {"operator": which}),
    "fill": (1, {"switched_off": flags}),
    "wait": (1, {"seconds": st.integers(1, 100)}),
}
# Not rules of their own: hypothesis would leave most of them out of most histories.
operations = st.one_of(
    st.tuples(st.just(name), st.fixed_dictionaries(arguments))
    for name, (times, arguments) in OPERATIONS.items()
    for _ in range(times)
)


def pick(things, number):
    """One of them by its number, counted round."""
    known = sorted(things)
    return known[number % len(known)]


class History(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.books = Ledger()
        self.random = random.Random(0)
        self.sources = 0
        self.undone = transaction.atomic()
        self.undone.__enter__()

    def teardown(self):
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    def draw(self):
        self.books.drawn.append(self.random.random())
        return self.books.drawn[-1]

    @property
    def how(self):
        return {"draw": self.draw, "now": self.books.now}

    def contact(self, number):
        """Rather a late one; it comes with its case."""
        known = sorted(self.books.cases, reverse=True)
        pk = known[number % len(known)]
        return pk, self.books.cases[pk]

    @initialize(
        number=st.integers(0, 2**32 - 1),
        limits=st.tuples(limits, limits, limits),
        sticky=st.tuples(flags, flags),
        chosen=st.tuples(strategies, strategies),
        arrivals=leads,
    )
    def begin(self, number, limits, sticky, chosen, arrivals):
        self.random = random.Random(number)
        for limit in limits:
            self.hire(limit=limit, active=True)
        for each, strategy in zip(sticky, chosen, strict=True):
            self.open_source(auto=True, sticky=each, strategy=strategy)
        for operator, source, weight in ((0, 0, 3), (1, 0, 1), (2, 0, 1), (1, 1, 1), (2, 1, 2)):
            self.assign(operator=operator, source=source, weight=weight)
        self.arrive(arrivals)

    @rule(step=operations)
    def step(self, step):
        name, arguments = step
        getattr(self, name)(**arguments)

    # --- people, channels ---------------------------------------------------------------------

    def hire(self, limit, active):
        if len(self.books.people) == 5:
            return
        new = create_operator(name="Анна", max_active_contacts=limit, is_active=active)
        self.books.people[new.pk] = Person(active, limit)

    def open_source(self, auto, sticky, strategy):
        if len(self.books.channels) == 4:
            return
        self.sources += 1
        fields = {"auto_assign_waiting": auto, "sticky": sticky, "strategy": strategy}
        new = create_source(name="Телеграм", code=f"tg{self.sources}", **fields)
        self.books.channels[new.pk] = Channel(True, auto, sticky, strategy)

    def delete_source(self, source):
        pk = pick(self.books.channels, source)
        used = any(case.source == pk for case in self.books.cases.values())
        if used:
            with pytest.raises(SourceInUse):
                delete_source(Source.objects.get(pk=pk))
        elif len(self.books.channels) > 1:
            delete_source(Source.objects.get(pk=pk))
            del self.books.channels[pk]
            for pair in [each for each in self.books.weights if each[1] == pk]:
                del self.books.weights[pair]

    def assign(self, operator, source, weight):
        pair = pick(self.books.people, operator), pick(self.books.channels, source)
        _, created = assign(operator_id=pair[0], source_id=pair[1], weight=weight, **self.how)
        assert created == (pair not in self.books.weights)
        self.books.weights[pair] = weight
        self.books.read_decisions()

    def change_weight(self, pair, weight):
        if not self.books.weights:
            return
        operator, source = pair = pick(self.books.weights, pair)
        change_weight(Assignment.objects.get(operator=operator, source=source), weight=weight)
        self.books.weights[pair] = weight

    def remove_assignment(self, pair):
        if not self.books.weights:
            return
        operator, source = pair = pick(self.books.weights, pair)
        remove_assignment(Assignment.objects.get(operator=operator, source=source))
        del self.books.weights[pair]

    def change_operator(self, operator, active, limit):
        pk = pick(self.books.people, operator)
        wanted = {"is_active": active, "max_active_contacts": limit}
        changes = {name: value for name, value in wanted.items() if value is not None}
        change_operator(Operator.objects.get(pk=pk), changes, **self.how)
        person = self.books.people[pk]
        person.active = person.active if active is None else active
        person.limit = person.limit if limit is None else limit
        self.books.read_decisions()

    def change_source(self, source, changes):
        pk = pick(self.books.channels, source)
        change_source(Source.objects.get(pk=pk), changes, **self.how)
        channel = self.books.channels[pk]
        channel.auto = changes.get("auto_assign_waiting", channel.auto)
        channel.sticky = changes.get("sticky", channel.sticky)
        channel.active = changes.get("is_active", channel.active)
        channel.strategy = changes.get("strategy", channel.strategy)
        self.books.read_decisions()

    # --- contacts -----------------------------------------------------------------------------

    def arrive(self, arrivals):
        named = [(pick(self.books.channels, number), lead) for number, lead in arrivals]
        sources = Source.objects.in_bulk({pk for pk, _ in named})
        inquiries = [Inquiry(sources[pk], lead) for pk, lead in named]
        if not all(self.books.channels[pk].active for pk, _ in named):
            with pytest.raises(SourceInactive):
                create_contacts(inquiries, **self.how)
            return
        created = create_contacts(inquiries, **self.how)
        for (contact, _), (pk, lead) in zip(created, named, strict=True):
            self.books.arrived(contact, pk, lead)
        self.books.read_decisions([(contact.pk, "create") for contact, _ in created])
        for contact, decision in created:
            assert (decision.chosen and decision.chosen.operator_id) == contact.operator_id

    def arrive_alone(self, source, lead):
        self.arrive([(source, lead)])

    def change_status(self, contact, status):
        pk, case = self.contact(contact)
        was_open, reopened = case.is_open, not case.is_open and status != "closed"
        if was_open and status == "closed":
            self.books.closed(pk)
        change_status(pk, status=status, **self.how)
        self.books.read_decisions([(pk, "reopen")] if reopened else [])
        case.status = status

    def close(self, contact):
        self.change_status(contact, "closed")

    def reassign(self, contact):
        pk, case = self.contact(contact)
        if not case.is_open:
            with pytest.raises(ContactClosed):
                reassign_contact(pk, **self.how)
            return
        before = case.operator
        result = reassign_contact(pk, **self.how)
        self.books.read_decisions([(pk, "reassign")])
        assert result.moved == (result.contact.operator_id != before)

    def reassign_to(self, contact, operator, force):
        pk, case = self.contact(contact)
        target = pick(self.books.people, operator)
        person, refusal = self.books.people[target], None
        if not case.is_open:
            refusal = ContactClosed
        elif case.operator == target:
            pass
        elif not person.active:
            refusal = OperatorInactive
        elif self.books.load(target) >= person.limit and not force:
            refusal = OperatorFull
        if refusal:
            with pytest.raises(refusal):
                reassign_contact(pk, operator_id=target, force=force, **self.how)
            return
        expected = [] if case.operator == target else [(pk, "manual")]
        result = reassign_contact(pk, operator_id=target, force=force, **self.how)
        self.books.read_decisions(expected)
        assert result.moved == bool(expected)
        assert result.contact.operator_id == target

    def theirs(self, operator):
        """What the operator has, oldest first, as it is given back."""
        cases = self.books.cases.items()
        mine = [(case.created, pk) for pk, case in cases if case.is_open]
        return [
            (pk, "release") for _, pk in sorted(mine) if self.books.cases[pk].operator == operator
        ]

    def assert_released(self, released, expected):
        waiting = sum(self.books.cases[pk].operator is None for pk, _ in expected)
        assert (released.released, released.waiting) == (len(expected), waiting)
        assert released.reassigned == len(expected) - waiting

    def release(self, operator, deactivate):
        pk = pick(self.books.people, operator)
        if self.books.people[pk].active and not deactivate:
            with pytest.raises(OperatorActive):
                release_operator(pk, **self.how)
            return
        expected = self.theirs(pk)
        self.books.people[pk].active = False
        released = release_operator(pk, deactivate=deactivate, **self.how)
        self.books.read_decisions(expected)
        self.assert_released(released, expected)

    def dismiss(self, operator):
        if len(self.books.people) == 2:
            return
        pk = pick(self.books.people, operator)
        expected = self.theirs(pk)
        released = delete_operator(Operator.objects.get(pk=pk), **self.how)
        self.books.read_decisions(expected)
        self.assert_released(released, expected)
        del self.books.people[pk]
        for pair in [each for each in self.books.weights if each[0] == pk]:
            del self.books.weights[pair]
        for case in self.books.cases.values():
            if case.operator == pk:
                case.operator = None

    def fill(self, switched_off):
        before = self.books.seen
        handed = fill_waiting(Source.objects.all(), switched_off=switched_off, **self.how)
        self.books.read_decisions()
        assert handed or self.books.seen == before

    def wait(self, seconds):
        self.books.pass_time(seconds)

    # --- after each ---------------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self):
        self.books.compare_with_the_database()
        self.books.nobody_waits_in_vain()


@pytest.mark.django_db
@pytest.mark.timeout(120 + 10 * HISTORIES)
@pytest.mark.parametrize(("batch", "part"), [(100, 2), (2, 4), (1, 4)])
def test_whatever_happens_the_invariants_hold(batch, part, monkeypatch):
    monkeypatch.setattr(handout, "BATCH", batch)
    monkeypatch.setattr(staffing, "BATCH", batch)
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=max(1, HISTORIES // part),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )
