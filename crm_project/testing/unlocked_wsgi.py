"""The service with the locks of one side taken away, for the control of the storm's test.

Arrivals do not lock the operators whom they count, and take a moment before they write: neither in
the long way nor, by another function in the database, in the short one. Never part of the service.
"""

import time
from collections.abc import Callable, Collection

from crm_project.wsgi import application  # first: it sets Django up

# isort: split
from contacts import handout, services
from contacts.distribution import Decision
from operators.models import Operator

__all__ = ["application"]


def lock_operators(
    *, sources: Collection[int] = (), operators: Collection[int] | None = None
) -> dict[int, Operator]:
    if operators is not None:  # the other side: closes, reassigns
        return locked(sources=sources, operators=operators)
    return {each.pk: each for each in Operator.objects.filter(sources__in=sources).distinct()}


def draw_one(weighed: Decision, draw: Callable[[], float]) -> Decision:
    time.sleep(0.05)
    return drawn(weighed, draw)


locked, services.lock_operators = services.lock_operators, lock_operators
drawn, handout.draw_one = handout.draw_one, draw_one
