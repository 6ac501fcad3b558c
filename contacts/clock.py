"""What time alone brings about: shifts end and begin, who waits can be answered, and who was not
answered in time goes to somebody else. What is over is added up, what is new can be searched, and
what was told long ago is forgotten.
"""

import logging
from dataclasses import asdict, dataclass
from typing import Unpack

from django.utils import timezone

from contacts.availability import Availability
from contacts.conversations import forget_old_events
from contacts.events.pruning import prune_deliveries
from contacts.handout import BATCH, How
from contacts.selectors import queues
from contacts.staffing import fill_waiting
from contacts.tally.folding import in_turns, keep_up
from contacts.text_index import keep_up_texts
from contacts.timeouts import hand_on, overdue
from crm_project.actor import Actor
from operators.services import renew_shifts
from sources.models import Source

logger = logging.getLogger(__name__)

CLOCK = Actor("system", "clock")
# From one tick to the next, in each process that serves.
SECONDS = 15
# After so many the rest is for the next tick, so that after an upgrade, or a stop for days, shifts
# do not wait for all of what is to be added up.
KEEPING_UP = 2


@dataclass(frozen=True, slots=True)
class Ticked:
    """How many shifts were renewed, how many waiting contacts handed out, and how many that were
    not taken in time handed on or marked.
    """

    renewed: int
    handed: int
    late: int


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
    handed = fill_waiting(found, **how) if moving else 0
    due = overdue(Source.objects.all(), now=moment).values_list("pk", flat=True)
    late = sum(hand_on(pk, **how) is not None for pk in list(due[:BATCH]))
    ticked = Ticked(renewed, handed, late)
    keep_up(seconds=KEEPING_UP)
    keep_up_texts(seconds=KEEPING_UP)
    forget_old_events(moment)
    in_turns([prune_deliveries], seconds=KEEPING_UP)
    level = logging.INFO if any((renewed, handed, late)) else logging.DEBUG
    logger.log(level, "tick", extra={"fields": asdict(ticked)})
    return ticked
