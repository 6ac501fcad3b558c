"""Every write to a contact's operator and status. The API, the admin and the commands call these
and nothing else.

Lock order, for every function here: the lead, then operators by pk, then contacts by pk.
`draw` gives uniform numbers in [0, 1); `now` None means the present moment.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.availability import Availability
from contacts.distribution import Decision
from contacts.models import OPEN, Contact
from crm_project.errors import Conflict, invalid
from leads.services import Profile, find_or_create_lead
from operators.models import Operator
from sources.models import Source

Result = TypeVar("Result")
Draw = Callable[[], float]


class SourceInactive(Conflict):
    default_code = "source_inactive"
    default_detail = _("The source is inactive and takes no new contacts.")


class ContactClosed(Conflict):
    default_code = "contact_closed"
    default_detail = _("The contact is closed. Reopen it first.")


class OperatorInactive(Conflict):
    default_code = "operator_inactive"
    default_detail = _("The operator is inactive.")


class OperatorFull(Conflict):
    default_code = "operator_full"
    default_detail = _("The operator is at the limit. Repeat with force to exceed it.")


@dataclass(frozen=True, slots=True)
class Reassignment:
    """What became of a contact that was to change hands; `moved`: did it change its operator?"""

    contact: Contact
    decision: Decision
    moved: bool


@dataclass(frozen=True, slots=True)
class Release:
    """How many contacts an operator gave up, how many found another one, how many wait."""

    released: int
    reassigned: int
    waiting: int


def create_contact(
    *,
    source: Source,
    external_id: str,
    profile: Profile | None = None,
    message: str = "",
    draw: Draw = random.random,
    now: datetime | None = None,
) -> tuple[Contact, Decision]:
    """Record that a lead wrote, and give the contact to one of the source's available operators.

    The lead is found by its external id or made. Where nobody is available, the contact waits.
    Raises SourceInactive.
    """
    if not source.is_active:
        raise SourceInactive
    now = now or timezone.now()
    with transaction.atomic():
        lead = find_or_create_lead(external_id, profile=profile or Profile(), now=now)
        available = Availability(sources=[source.pk])
        decision = available.decide(source, draw=draw)
        contact = Contact(lead=lead, source=source, message=message, created_at=now)
        _give(contact, available, decision, now)
        contact.save(force_insert=True)
    return contact, decision


def change_status(
    contact_id: int, *, status: str, draw: Draw = random.random, now: datetime | None = None
) -> Contact:
    """Move a contact to another status, in any order; its own status changes nothing.

    Closing frees the operator's place. Reopening takes one again: with the same operator if still
    assigned and available, else by distribution, else the contact waits.
    Raises Contact.DoesNotExist.
    """
    if status not in Contact.Status.values:
        raise ValueError(f"{status!r} is not a status of a contact")
    now = now or timezone.now()

    def change(available: Availability, contact: Contact) -> Contact:
        was_open = contact.is_open
        contact.status = status
        if was_open and not contact.is_open:
            contact.closed_at = now
        elif contact.is_open and not was_open:
            contact.closed_at = None
            _take_place_again(contact, available, draw, now)
        contact.save(update_fields=["status", "closed_at", "operator", "assigned_at"])
        return contact

    return _locked(contact_id, change)


def reassign_contact(
    contact_id: int,
    *,
    operator_id: int | None = None,
    force: bool = False,
    draw: Draw = random.random,
    now: datetime | None = None,
) -> Reassignment:
    """Give an open contact to another operator.

    With `operator_id` None by distribution among the other available operators of the source; if
    there is none, the contact stays, or waits if its operator is inactive or no longer assigned.
    Else to that operator, assigned to the source or not, above the limit only with `force`.
    Raises ContactClosed, OperatorInactive, OperatorFull, Contact.DoesNotExist, and a
    ValidationError where there is no such operator.
    """
    now = now or timezone.now()

    def reassign(available: Availability, contact: Contact) -> Reassignment:
        if not contact.is_open:
            raise ContactClosed
        before = contact.operator_id
        if operator_id is None:
            decision = available.decide(contact.source, draw=draw, exclude=before)
            keeper = available.assigned(contact.source, before)
            if decision.chosen or not (keeper and keeper.is_active):
                _give(contact, available, decision, now)
        else:
            decision = Decision(strategy=None)
            _hand_over(contact, available, operator_id, force, now)
        contact.save(update_fields=["operator", "assigned_at"])
        return Reassignment(contact, decision, moved=contact.operator_id != before)

    return _locked(contact_id, reassign, operators=[] if operator_id is None else [operator_id])


def delete_operator(
    operator: Operator, *, draw: Draw = random.random, now: datetime | None = None
) -> Release:
    """Hand an operator's open contacts out again by the rules of their sources, then delete him
    or her. What finds nobody waits. Closed contacts stay, without operator.

    Raises Operator.DoesNotExist where that has been done meanwhile.
    """
    now = now or timezone.now()
    mine = Contact.objects.filter(OPEN, operator=operator)
    while True:
        sources = set(mine.order_by().values_list("source", flat=True).distinct())
        with transaction.atomic():
            available = Availability(sources=sources, operators=[operator.pk])
            if operator.pk not in available.operators:
                raise Operator.DoesNotExist
            contacts = list(
                mine.select_for_update(no_key=True, of=("self",))
                .select_related("source")
                .order_by("pk")
            )
            # A contact of yet another source arrived before we had the lock: look again.
            if {contact.source_id for contact in contacts} <= sources:
                release = _release(contacts, available, draw, now)
                Contact.objects.filter(operator=operator).update(operator=None)
                operator.delete()
                return release


def _locked(
    contact_id: int,
    work: Callable[[Availability, Contact], Result],
    *,
    operators: Collection[int] = (),
) -> Result:
    """Run `work` on a contact with every operator locked whom it can concern: those of its
    source, its own, and the ones named.

    Its own is known only once it is locked, which comes after the operators. So it is read
    before, and where it has changed hands since, we let go and begin again: somebody else's work
    was done meanwhile, so this ends.
    """
    while True:
        source_id, operator_id = Contact.objects.values_list("source", "operator").get(
            pk=contact_id
        )
        own = [] if operator_id is None else [operator_id]
        with transaction.atomic():
            available = Availability(sources=[source_id], operators=[*own, *operators])
            contact = (
                Contact.objects.select_for_update(no_key=True, of=("self",))
                .select_related("source", "operator", "lead")
                .get(pk=contact_id)
            )
            if contact.operator_id is None or contact.operator_id in available.operators:
                return work(available, contact)


def _give(contact: Contact, available: Availability, decision: Decision, now: datetime) -> None:
    """Write the decision into the contact: the chosen operator, or nobody."""
    chosen = decision.chosen
    contact.operator = available.operators[chosen.operator_id] if chosen else None
    contact.assigned_at = now if chosen else None


def _take_place_again(contact: Contact, available: Availability, draw: Draw, now: datetime) -> None:
    same = available.assigned(contact.source, contact.operator_id)
    if same and not same.unavailable():
        contact.assigned_at = now
    else:
        _give(contact, available, available.decide(contact.source, draw=draw), now)


def _hand_over(
    contact: Contact, available: Availability, operator_id: int, force: bool, now: datetime
) -> None:
    target = available.operators.get(operator_id)
    if target is None:
        raise invalid("operator_id", gettext("There is no such operator."), code="does_not_exist")
    if operator_id == contact.operator_id:
        return
    if not target.is_active:
        raise OperatorInactive
    if not force and not available.has_room(operator_id):
        raise OperatorFull
    contact.operator, contact.assigned_at = target, now


def _release(
    contacts: list[Contact], available: Availability, draw: Draw, now: datetime
) -> Release:
    """Hand out the contacts, oldest first, to anybody but their operator."""
    moved: defaultdict[int | None, list[int]] = defaultdict(list)
    for contact in sorted(contacts, key=lambda each: (each.created_at, each.pk)):
        decision = available.decide(contact.source, draw=draw, exclude=contact.operator_id)
        moved[decision.chosen.operator_id if decision.chosen else None].append(contact.pk)
    for operator_id, ids in moved.items():
        Contact.objects.filter(pk__in=ids).update(
            operator=operator_id, assigned_at=now if operator_id else None
        )
    waiting = len(moved.get(None, []))
    return Release(released=len(contacts), reassigned=len(contacts) - waiting, waiting=waiting)
