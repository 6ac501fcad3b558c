"""The distribution work of one transaction: decided in memory under the locks, then written."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from django.utils import timezone

from contacts.availability import Availability
from contacts.copying import write_decisions
from contacts.distribution import SMOOTH_WEIGHTED, Decision, draw_one
from contacts.history import Kind, Noted, count_once_committed
from contacts.models import WAITING, Contact
from contacts.selectors import Latest, latest_of_leads, queues
from crm_project.actor import SYSTEM, Actor
from operators.models import Operator
from sources.models import Source


class How(TypedDict, total=False):
    """The arguments that every decision takes.

    `draw` gives uniform numbers in [0, 1), from `random` where it is left out; `now` is the
    moment, the present one where it is None; `actor`, who asks, is kept in the history.
    """

    draw: Callable[[], float]
    now: datetime | None
    actor: Actor


OPERATOR = Contact._meta.get_field("operator")
# What changes in a contact when somebody else gets it.
CHANGING_HANDS = ["operator", "assigned_at", "waiting_since", "handovers", "escalated_at"]
# So many waiting contacts go out in one transaction; the rest follows in the next.
BATCH = 100


class Handout:
    """Gives contacts to operators who are locked, and keeps a record of each decision.

    Nothing is in the database before `write`.
    """

    def __init__(
        self, sources: Collection[int], *, locked: dict[int, Operator], **how: Unpack[How]
    ) -> None:
        """Hand out in these sources; who serves them is `locked`."""
        self.now = how.get("now") or timezone.now()
        self.available = Availability(sources, locked=locked, now=self.now)
        self.draw = how.get("draw", random.random)
        self.actor = how.get("actor", SYSTEM)
        self._noted: list[Noted] = []
        self._latest: dict[int, Latest | None] = {}

    def expect(self, contacts: Iterable[Contact]) -> None:
        """Look up who had the leads of these contacts last, where their source is sticky."""
        leads = {each.lead_id for each in contacts if each.source.sticky} - self._latest.keys()
        if leads:
            self._latest |= dict.fromkeys(leads) | latest_of_leads(leads)

    def decide(self, contact: Contact, *, kind: Kind, exclude: Collection[int] = ()) -> Decision:
        """Decide by the rules of its source who gets the contact; nobody, and it has to wait.

        Nobody gets it, either, before those who wait in the source already. `exclude` are the
        ids of operators who must not get it.
        """
        source = contact.source
        latest = self._latest.get(contact.lead_id) if source.sticky else None
        weighed = self.available.weigh(
            source, exclude=exclude, preferred=latest and latest.operator_id
        )
        if kind != Kind.WAITING and self.available.with_queue([source.pk]):
            return weighed._replace(chosen=None)
        decision = draw_one(weighed, self.draw)
        if decision.chosen and decision.strategy == SMOOTH_WEIGHTED:
            self.available.rotations.move_on(source, decision.candidates, decision.chosen)
        return decision

    def give(
        self,
        contact: Contact,
        *,
        kind: Kind,
        exclude: Collection[int] = (),
        previous: int | None = None,
    ) -> Decision:
        """Decide who gets the contact, and put that into it."""
        decision = self.decide(contact, kind=kind, exclude=exclude)
        chosen = decision.chosen
        operator = self.available.locked[chosen.operator_id] if chosen else None
        self.put(contact, operator, decision, kind=kind, previous=previous)
        return decision

    def put(
        self,
        contact: Contact,
        operator: Operator | None,
        decision: Decision,
        *,
        kind: Kind,
        previous: int | None = None,
        forced: bool = False,
    ) -> None:
        """Make the operator the one who has the contact from now on; None: it waits.

        Whom the contact names until now gives up the place; `previous` names instead who had it
        when it was closed, without a place. Except by a timeout, its handovers are counted anew.
        """
        if contact.operator_id:
            self.available.free(contact.operator_id)
        previous = previous or contact.operator_id
        contact.operator_id = operator.pk if operator else None
        OPERATOR.set_cached_value(contact, operator)
        contact.assigned_at = self.now if operator else None
        contact.waiting_since = None if operator else contact.waiting_since or self.now
        contact.handovers = contact.handovers + 1 if kind == Kind.TIMEOUT else 0
        contact.escalated_at = None
        if operator:
            self.available.give(operator.pk)
            self._remember(contact, operator)
        elif (known := self._latest.get(contact.lead_id)) and known.contact_id == contact.pk:
            # Nobody has it any more: who had the lead before that, the database tells.
            del self._latest[contact.lead_id]
        self.note(contact, decision, kind=kind, previous=previous, forced=forced)

    def _remember(self, contact: Contact, operator: Operator) -> None:
        """Who had the lead last, if that was looked up; of other leads the database tells."""
        if contact.lead_id in self._latest:
            made = Latest(contact.created_at, contact.pk or math.inf, operator.pk)
            known = self._latest[contact.lead_id]
            if known is None or made[:2] >= known[:2]:
                self._latest[contact.lead_id] = made

    def note(
        self,
        contact: Contact,
        decision: Decision,
        *,
        kind: Kind,
        previous: int | None,
        forced: bool = False,
    ) -> None:
        """Record a decision that the contact shows already."""
        operator = contact.operator
        self._noted.append(
            Noted(
                contact,
                decision,
                kind,
                operator_id=contact.operator_id,
                operator_name=operator.name if operator else "",
                previous_operator_id=previous,
                forced=forced,
                hands_out=self.available.hands_out(contact.source),
            )
        )

    def fill(self, sources: Collection[int]) -> int:
        """Hand out those who wait in the sources, oldest first over all of them, for as long as
        somebody can take them, and write that; return how many went, at most BATCH.

        The one way out of the queue.
        """
        handed = 0
        while handed < BATCH and (open_ones := self.available.with_room(sources)):
            queue = self._oldest(open_ones, BATCH - handed)
            if not queue:
                break
            self.expect(queue)
            moved = [
                contact
                for contact in queue
                # The last place may have gone to the contact before.
                if self.available.with_room([contact.source_id])
                and self.give(contact, kind=Kind.WAITING).chosen
            ]
            self.write(moved)
            handed += len(moved)
        if sources:
            left = queues(Source.objects.filter(pk__in=sources), switched_off=True)
            self.available.queues_are_empty(set(sources) - left)
        return handed

    @staticmethod
    def _oldest(sources: Collection[int], count: int) -> list[Contact]:
        waiting = Contact.objects.filter(WAITING, source__in=sources)
        locked = waiting.select_for_update(no_key=True, of=("self",)).select_related("source")
        return list(locked.order_by("waiting_since", "pk")[:count])

    def write(self, moved: Sequence[Contact] = ()) -> None:
        """Write the decisions, and into the moved contacts who has them now.

        Who makes or changes a contact otherwise saves it before.
        """
        by_operator: defaultdict[int | None, list[int]] = defaultdict(list)
        for contact in moved:
            by_operator[contact.operator_id].append(contact.pk)
        for operator_id, ids in by_operator.items():
            Contact.objects.filter(pk__in=ids).update(
                operator=operator_id,
                assigned_at=self.now if operator_id else None,
                waiting_since=None if operator_id else self.now,
                handovers=0,
                escalated_at=None,
            )
        write_decisions(self._noted, actor=self.actor, now=self.now)
        count_once_committed(self._noted)
        self._noted.clear()
        self.available.rotations.write(self.now)
