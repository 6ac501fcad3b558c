"""Contacts that nobody takes into work in time: they go to somebody else and, when that has been
tried often enough or cannot be done, are marked for the team lead.

Lock order: as in `contacts.services`.
"""

from datetime import datetime, timedelta
from typing import Unpack

from django.db.models import F, Q, QuerySet

from contacts.distribution import Decision
from contacts.handout import CHANGING_HANDS, Handout, How
from contacts.history import Kind
from contacts.models import UNTAKEN, Contact, DecisionRecord
from contacts.selectors import queues_of
from contacts.services import Reach, Reassignment, holder_of, with_contact
from sources.models import Source


def overdue(sources: QuerySet[Source], *, now: datetime) -> QuerySet[Contact]:
    """The contacts of these sources that should have been taken by now, the latest first."""
    hurried = sources.filter(response_minutes__isnull=False).order_by()
    late = Q()
    for pk, minutes in hurried.values_list("pk", "response_minutes"):
        late |= Q(source=pk, assigned_at__lte=now - timedelta(minutes=minutes or 0))
    if not late:
        return Contact.objects.none()
    return Contact.objects.filter(UNTAKEN).filter(late).order_by("assigned_at", "pk")


def is_overdue(contact: Contact, now: datetime) -> bool:
    """Should it have been taken by now, and is it still to be handed on or marked?"""
    minutes, since = contact.source.response_minutes, contact.assigned_at
    if minutes is None or since is None or contact.escalated_at:
        return False
    return contact.status == Contact.Status.NEW and since <= now - timedelta(minutes=minutes)


def hand_on(contact_id: int, **how: Unpack[How]) -> Reassignment | None:
    """Give an overdue contact to somebody from whom it was not taken yet, or mark it.

    The place goes to the oldest who waits for it. None: it is not overdue, as of the locks, or its
    source is busy with those who wait. Raises Contact.DoesNotExist.
    """

    def reach(contact: Contact) -> Reach:
        own = holder_of(contact)
        return Reach(own, source=contact.source_id, queues=queues_of(own))

    return with_contact(contact_id, reach, _hand_on, **how)


def _hand_on(handout: Handout, contact: Contact) -> Reassignment | None:
    if not is_overdue(contact, handout.now):
        return None
    decision = Decision(contact.source.strategy)
    if contact.handovers < contact.source.response_handovers:
        exclude = _had_it(contact)
        decision = handout.decide(contact, kind=Kind.TIMEOUT, exclude=exclude)
    if decision.chosen:
        operator = handout.available.locked[decision.chosen.operator_id]
        handout.put(contact, operator, decision, kind=Kind.TIMEOUT)
    elif decision.candidates:
        return None
    else:
        contact.escalated_at = handout.now
        handout.note(contact, decision, kind=Kind.TIMEOUT, previous=contact.operator_id)
    contact.save(update_fields=CHANGING_HANDS)
    return Reassignment(contact, decision, moved=bool(decision.chosen))


def _had_it(contact: Contact) -> frozenset[int]:
    """Who has it, and from whom it was taken since its handovers are counted."""
    taken = (
        DecisionRecord.objects.filter(contact=contact, kind=Kind.TIMEOUT)
        .exclude(operator_id=F("previous_operator_id"))
        .order_by("-pk")
        .values_list("previous_operator_id", flat=True)
    )
    before = frozenset(pk for pk in taken[: contact.handovers] if pk)
    return before | holder_of(contact)
