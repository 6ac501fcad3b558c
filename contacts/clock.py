"""What time alone brings about: shifts end and begin, and somebody who waits can be answered."""

from dataclasses import dataclass
from typing import Unpack

from django.utils import timezone

from contacts.availability import Availability
from contacts.handout import How
from contacts.selectors import queues
from contacts.staffing import fill_waiting
from crm_project.actor import Actor
from operators.services import renew_shifts
from sources.models import Source

CLOCK = Actor("system", "clock")
# From one tick to the next, in each process that serves.
SECONDS = 15


@dataclass(frozen=True, slots=True)
class Ticked:
    """How many shifts were renewed, how many waiting contacts were handed out."""

    renewed: int
    handed: int


def tick(**how: Unpack[How]) -> Ticked:
    """Do what has become due.

    It asks how things are, not what has changed: a tick that was missed or killed is made up for by
    the next one, and several at once do no more than one.
    """
    how.setdefault("actor", CLOCK)
    moment = how.get("now") or timezone.now()
    renewed = renew_shifts(moment)
    waiting = queues(Source.objects.all())
    # Only looked at here, so that full queues make nobody wait for our locks.
    moving = Availability(waiting, now=moment).with_room(waiting)
    found = Source.objects.filter(pk__in=moving)
    return Ticked(renewed, fill_waiting(found, **how) if moving else 0)
