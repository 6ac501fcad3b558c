"""Every write to a contact's operator and status. The API, the admin and the commands call these
and those of `contacts.staffing`, and nothing else.

Lock order, for every function here: leads, then as `contacts.locks` says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, Unpack

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.copying import write_contacts
from contacts.direct import create_directly
from contacts.distribution import Decision, weigh
from contacts.handout import CHANGING_HANDS, Handout, How
from contacts.history import Kind
from contacts.inquiry import Inquiry
from contacts.locks import lock_for_parking, lock_operators, settled
from contacts.models import Contact
from contacts.rights import NotYours
from contacts.selectors import queues_of
from crm_project.audit.services import note_changed
from crm_project.copying import new_like
from crm_project.errors import Conflict, StaleError, invalid
from leads.models import Lead
from leads.services import (
    LeadIsErased,
    Profile,
    find_or_create_leads,
    is_known_otherwise,
)

Result = TypeVar("Result")
LEAD = Contact._meta.get_field("lead")


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

    @property
    def outcome(self) -> str:
        """`reassigned`, `waiting` or `kept`."""
        if not self.moved:
            return "kept"
        return "reassigned" if self.contact.operator_id else "waiting"


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a change concerns, and so what is locked for it: `operators`, and all who serve the
    `source` whose rules decide (None: no rules are asked) and the sources with the `queues` that
    may move on.
    """

    operators: frozenset[int] = frozenset()
    source: int | None = None
    queues: frozenset[int] = frozenset()

    @property
    def sources(self) -> frozenset[int]:
        return self.queues if self.source is None else self.queues | {self.source}

    def covers(self, other: "Reach") -> bool:
        return self.sources >= other.sources and self.operators >= other.operators


def create_contact(
    inquiry: Inquiry,
    **how: Unpack[How],
) -> tuple[Contact, Decision]:
    """Record that a lead wrote, and give the contact to one of the source's available operators.

    The lead is found by its external id or made. Where nobody is available, the contact waits.
    Raises SourceInactive.
    """
    if not inquiry.source.is_active:
        raise SourceInactive
    made = None
    if not is_known_otherwise(inquiry.external_id, inquiry.profile):
        made = create_directly(inquiry, **how)
    return made or create_contacts([inquiry], **how)[0]


def create_contacts(
    inquiries: Sequence[Inquiry],
    **how: Unpack[How],
) -> list[tuple[Contact, Decision]]:
    """The same for many, in their order, as if they had come one by one: all of them or none.

    Raises SourceInactive where one of the sources is.
    """
    if not all(inquiry.source.is_active for inquiry in inquiries):
        raise SourceInactive
    moment = how.get("now") or timezone.now()

    def create() -> list[tuple[Contact, Decision]]:
        leads = find_or_create_leads(_profiles(inquiries), now=moment)
        # Before others have to wait for us.
        contacts = _new_contacts(inquiries, leads, moment)
        sources = {inquiry.source.pk: inquiry.source for inquiry in inquiries}
        locked = lock_operators(sources=sources)
        handout = Handout(sources, locked=locked, **how)
        handout.fill(handout.available.with_queue(sources))
        handout.expect(contacts)
        decisions = [handout.give(contact, kind=Kind.CREATE) for contact in contacts]
        lock_for_parking(
            {each.source_id for each in contacts if each.waiting_since}, serving=locked
        )
        write_contacts(contacts)
        handout.write()
        return list(zip(contacts, decisions, strict=True))

    return settled(create)


def _profiles(inquiries: Sequence[Inquiry]) -> dict[str, Profile]:
    """What all of them together tell about each lead; who came first goes first."""
    known: dict[str, Profile] = {}
    for each in inquiries:
        before = known.get(each.external_id)
        known[each.external_id] = before.or_else(each.profile) if before else each.profile
    return known


def _new_contacts(
    inquiries: Sequence[Inquiry], leads: dict[str, Lead], now: datetime
) -> list[Contact]:
    sources = {each.source.pk: each.source for each in inquiries}
    by_source = {pk: Contact(source=each, created_at=now) for pk, each in sources.items()}
    contacts = []
    for each in inquiries:
        lead = leads[each.external_id]
        new = new_like(by_source[each.source.pk], lead_id=lead.pk, message=each.message)
        LEAD.set_cached_value(new, lead)
        contacts.append(new)
    return contacts


def change_status(
    contact_id: int,
    *,
    status: str,
    only_of: int | None = None,
    **how: Unpack[How],
) -> Contact:
    """Move a contact to another status, in any order; its own status changes nothing.

    Closing frees the operator's place for the oldest who waits in one of his or her sources.
    Reopening takes one again: with the same operator if still assigned and available, else by
    distribution, else the contact waits. Raises Contact.DoesNotExist, and LeadIsErased in place of
    reopening that of a lead whose data are erased: there is nobody to answer.

    `only_of` is the operator for whom somebody acts, None for whoever may change every contact:
    raises NotYours where another one has the contact, and ContactClosed in place of reopening.
    """
    if status not in Contact.Status.values:
        raise ValueError(f"{status!r} is not a status of a contact")
    closing = status == Contact.Status.CLOSED

    def reach(contact: Contact) -> Reach:
        own = holder_of(contact)
        if contact.is_open and closing:
            return Reach(own, queues=queues_of(own))
        if not contact.is_open and not closing:
            return Reach(own, source=contact.source_id)
        return Reach()

    def change(handout: Handout, contact: Contact) -> Contact:
        was_open, before = contact.is_open, contact.status
        if only_of and not was_open and not closing:
            raise ContactClosed
        if contact.lead.erased_at and not closing:
            raise LeadIsErased
        contact.status = status
        if was_open and closing:
            _close(contact, handout)
        elif not was_open and not closing:
            _reopen(contact, handout)
        if status != Contact.Status.NEW:
            contact.handovers, contact.escalated_at = 0, None
        contact.save(update_fields=["status", "closed_at", *CHANGING_HANDS])
        note_changed(contact, {"status": before}, actor=handout.actor, now=handout.now)
        return contact

    return with_contact(contact_id, reach, change, only_of, **how)


def reassign_contact(
    contact_id: int,
    *,
    operator_id: int | None = None,
    force: bool = False,
    only_of: int | None = None,
    **how: Unpack[How],
) -> Reassignment:
    """Give an open contact to another operator; the place goes to the oldest who waits for it.

    With `operator_id` None by distribution among the other available operators of the source; if
    there is none, the contact stays, or waits if its operator is inactive or no longer assigned.
    Else to that operator, assigned to the source or not, above the limit only with `force`.
    Raises ContactClosed, OperatorInactive, OperatorFull, Contact.DoesNotExist, a ValidationError
    where there is no such operator, and NotYours where `only_of`, the operator for whom somebody
    acts, does not have the contact.
    """

    def reach(contact: Contact) -> Reach:
        own = holder_of(contact)
        if operator_id is None:
            return Reach(own, source=contact.source_id, queues=queues_of(own))
        return Reach(own | {operator_id}, queues=queues_of(own))

    def reassign(handout: Handout, contact: Contact) -> Reassignment:
        if not contact.is_open:
            raise ContactClosed
        before = contact.operator_id
        if operator_id is None:
            decision = _to_another(contact, handout)
        else:
            decision = _to_chosen(contact, handout, operator_id, force=force)
        contact.save(update_fields=CHANGING_HANDS)
        return Reassignment(contact, decision, moved=contact.operator_id != before)

    return with_contact(contact_id, reach, reassign, only_of, **how)


def with_contact(
    contact_id: int,
    reach: Callable[[Contact], Reach],
    work: Callable[[Handout, Contact], Result],
    only_of: int | None = None,
    **how: Unpack[How],
) -> Result:
    """Run `work` on a contact with everybody locked whom it concerns, then hand out what waits
    for the places that it freed.

    Whom it concerns is known for certain only once the contact is locked, which comes last. So it
    is looked up before, and where that is not enough any more, we begin again.
    """

    def attempt() -> Result:
        concerned = reach(Contact.objects.get(pk=contact_id))
        locked = lock_operators(sources=concerned.sources, operators=concerned.operators)
        if concerned.source is not None:
            lock_for_parking([concerned.source], serving=locked)
        Contact.objects.select_for_update(no_key=True).get(pk=contact_id)
        # In the next statement: whoever waited for the lock would see the former operator's row.
        contact = Contact.objects.select_related("source", "operator", "lead").get(pk=contact_id)
        if only_of not in (None, contact.operator_id):
            raise NotYours(contact)
        if not concerned.covers(reach(contact)):
            raise StaleError
        handout = Handout(concerned.sources, locked=locked, **how)
        handout.expect([contact])
        result = work(handout, contact)
        handout.write()
        moving = handout.available.with_queue(concerned.sources)
        handout.fill(concerned.queues.union(moving))
        return result

    return settled(attempt)


def holder_of(contact: Contact) -> frozenset[int]:
    return frozenset([contact.operator_id] if contact.operator_id else [])


def _close(contact: Contact, handout: Handout) -> None:
    contact.closed_at, contact.waiting_since = handout.now, None
    if contact.operator_id:
        handout.available.free(contact.operator_id)


def _reopen(contact: Contact, handout: Handout) -> None:
    available, before = handout.available, contact.operator_id
    same = available.assigned(contact.source, before)
    contact.closed_at = contact.operator = None
    if same and not same.unavailable() and not available.with_queue([contact.source_id]):
        decision = weigh([same], preferred=before)
        operator = available.locked[same.operator_id]
        handout.put(contact, operator, decision, kind=Kind.REOPEN, previous=before)
    else:
        handout.give(contact, kind=Kind.REOPEN, previous=before)


def _to_another(contact: Contact, handout: Handout) -> Decision:
    before = contact.operator_id
    keeper = handout.available.assigned(contact.source, before)
    decision = handout.decide(contact, kind=Kind.REASSIGN, exclude=holder_of(contact))
    if decision.chosen:
        operator = handout.available.locked[decision.chosen.operator_id]
        handout.put(contact, operator, decision, kind=Kind.REASSIGN)
    elif before and not (keeper and keeper.is_active):
        handout.put(contact, None, decision, kind=Kind.REASSIGN)
    else:
        handout.note(contact, decision, kind=Kind.REASSIGN, previous=before)
    return decision


def _to_chosen(contact: Contact, handout: Handout, operator_id: int, *, force: bool) -> Decision:
    decision = Decision(strategy=None)
    target = handout.available.locked.get(operator_id)
    if target is None:
        raise invalid("operator_id", gettext("There is no such operator."), code="does_not_exist")
    if operator_id == contact.operator_id:
        return decision
    if not target.is_active:
        raise OperatorInactive
    full = handout.available.load_of(operator_id) >= target.max_active_contacts
    if full and not force:
        raise OperatorFull
    handout.put(contact, target, decision, kind=Kind.MANUAL, forced=full)
    return decision
