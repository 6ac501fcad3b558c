"""That `manage.py check_invariants` finds nothing where nothing is wrong, whatever people do."""

import random

import pytest

from contacts.invariants import check_all
from contacts.models import WAITING, Contact
from contacts.services import OperatorFull, OperatorInactive, change_status, reassign_contact
from contacts.staffing import (
    assign,
    change_operator,
    change_source,
    delete_operator,
    release_operator,
)
from contacts.tests.scenes import arrive, serve
from crm_project.moments import one_moment
from crm_project.testing.threads import at_once, elsewhere
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def broken():
    """What is broken: the breaches by the name of the invariant. Looks twice without a pause."""
    results = check_all(records=10_000, pause=lambda: None)
    return {each.invariant.name: each.breaches for each in results if each.breaches}


class Firm:
    """People who do anything at all, in an order that the seed decides."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.sources = [
            SourceFactory(strategy=strategy, sticky=sticky)
            for strategy, sticky in [("weighted_random", True), ("smooth_weighted", False)]
        ]
        self.sources.append(SourceFactory(strategy="least_loaded"))
        for _ in range(4):
            operator = OperatorFactory(max_active_contacts=2)
            for source in self.rng.sample(self.sources, 2):
                AssignmentFactory(source=source, operator=operator, weight=self.rng.randint(1, 3))

    def do_something(self):
        rng = self.rng
        act = rng.choice([self.arrive] * 4 + [self.move] * 3 + [self.hand_over] * 2 + [self.staff])
        try:
            act(rng)
        except (OperatorFull, OperatorInactive):
            return

    def arrive(self, rng):
        source = Source.objects.get(pk=rng.choice(self.sources).pk)
        arrive(source, f"lead:{rng.randrange(6)}", draw=rng.random)

    def move(self, rng):
        contact = rng.choice(list(Contact.objects.all()) or [None])
        if contact:
            status = "closed" if contact.is_open else "new"
            change_status(contact.pk, status=status, draw=rng.random)

    def hand_over(self, rng):
        contact = rng.choice(list(Contact.objects.exclude(status="closed")) or [None])
        operator = rng.choice([None, *Operator.objects.all()])
        if contact:
            reassign_contact(
                contact.pk,
                operator_id=operator and operator.pk,
                force=rng.random() < 0.3,
                draw=rng.random,
            )

    def staff(self, rng):
        operator = rng.choice(list(Operator.objects.all()))
        source = Source.objects.get(pk=rng.choice(self.sources).pk)
        match rng.randrange(6):
            case 0:
                change_operator(operator, {"is_active": rng.random() < 0.7})
            case 1:
                change_operator(operator, {"max_active_contacts": rng.randint(1, 4)})
            case 2:
                assign(operator_id=operator.pk, source_id=source.pk, weight=rng.randint(1, 3))
            case 3:
                change_source(source, {"auto_assign_waiting": rng.random() < 0.6})
            case 4:
                release_operator(operator.pk, deactivate=True)
            case 5 if Operator.objects.count() > 2:
                delete_operator(operator)
                OperatorFactory()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_people_do_is_taken_for_a_breach(seed):
    firm = Firm(seed)
    for step in range(100):
        firm.do_something()
        if step % 5 == 0:
            assert broken() == {}
    assert Contact.objects.filter(WAITING).exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestWhileOthersWork:
    def test_all_is_seen_as_of_one_moment_and_nobody_waits_for_it(self):
        source = SourceFactory()
        with one_moment():
            assert not Contact.objects.exists()
            elsewhere(lambda: arrive(source))
            assert not Contact.objects.exists()
        assert Contact.objects.exists()

    def test_nothing_under_way_is_taken_for_a_breach(self):
        source = SourceFactory()
        operators = [serve(source, max_active_contacts=2) for _ in range(3)]
        for number in range(12):
            arrive(source, f"lead:{number}")
        ids = list(Contact.objects.values_list("pk", flat=True))
        calls = [
            call
            for number in range(40)
            for call in (
                lambda pk=ids[number % 12], to=["closed", "new"][number % 2]: change_status(
                    pk, status=to
                ),
                broken,
                lambda number=number: change_operator(
                    operators[number % 3], {"max_active_contacts": 1 + number % 3}
                ),
                lambda number=number: arrive(source, f"late:{number}"),
            )
        ]
        results, errors = at_once(calls, 6)
        assert errors == []
        assert [each for each in results if isinstance(each, dict) and each] == []
