"""A person's data are taken out of all that is kept; what was counted and decided stays.

Lock order: unfinished imports by pk, then leads by pk, then contacts and kept answers, for which
nobody is made to wait (`contacts.locks`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop, ngettext

from contacts.locks import lock_contacts_of, settled_soon
from contacts.models import OPEN, Contact, Message
from contacts.services import change_status
from contacts.text_index import wipe_soon
from contacts.traces import blank_answers, blank_log, lock_unfinished_imports, refuse_rows
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import forget_values, note_done_to_each
from crm_project.errors import Conflict
from leads.models import Lead
from leads.selectors import survivors_of
from leads.services import erase_profiles, lock_people

# What the account of changes calls it.
ERASED = gettext_noop("personal data erased")


class HasOpenContacts(Conflict):
    default_code = "lead_has_open_contacts"

    def __init__(self, count: int) -> None:
        text = ngettext(
            "The lead has %(count)d open contact. Close it first.",
            "The lead has %(count)d open contacts. Close them first.",
            count,
        )
        super().__init__(text % {"count": count})


@dataclass(frozen=True, slots=True)
class Erasure:
    """How many people's data were erased, and in how many contacts of theirs."""

    people: int
    contacts: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an erasure of somebody's data would concern: the one lead who stands for the person,
    those merged into it, and contacts, of which some may be `opened`.
    """

    lead: Lead
    merged: list[Lead]
    contacts: int
    opened: int


class Held(NamedTuple):
    """What is locked for an erasure: unfinished imports by their ids, whole people, and theirs."""

    imports: list[int]
    leads: list[Lead]
    contacts: QuerySet[Contact]


def outlooks(lead_ids: Collection[int]) -> list[Outlook]:
    """One for each person whom the leads stand for, in order of ids; for nobody, none."""
    people = Lead.objects.filter(pk__in=survivors_of(Lead.objects.filter(pk__in=lead_ids)))
    leads = list(people.order_by("pk").prefetch_related("merged"))
    rows = Contact.objects.filter(lead__in=leads).order_by().values_list("lead")
    counted = rows.annotate(contacts=Count("pk"), opened=Count("pk", filter=OPEN))
    counts = {lead_id: numbers for lead_id, *numbers in counted}
    return [Outlook(each, list(each.merged.all()), *counts.get(each.pk, (0, 0))) for each in leads]


def erase_lead(lead_id: int, *, close: bool = False, actor: Actor = SYSTEM) -> Erasure:
    """Erase the personal data of the lead and of all that it is merged with.

    With `close` the open contacts are closed first, one by one: their places go to those who wait.
    Of a lead that is erased already nothing is changed. Raises HasOpenContacts, and Busy where one
    of the contacts is being worked on for seconds.
    """
    if close:
        survivors = survivors_of(Lead.objects.filter(pk=lead_id))
        opened = Contact.objects.filter(OPEN, lead__in=survivors).order_by("created_at", "pk")
        for pk in list(opened.values_list("pk", flat=True)):
            change_status(pk, status=Contact.Status.CLOSED, actor=actor)

    def erase() -> Erasure:
        held = _lock([lead_id])
        if opened := held.contacts.filter(OPEN).count():
            raise HasOpenContacts(opened)
        return _erase(held, held.leads, actor)

    return settled_soon(erase)


def erase_silent_leads(
    lead_ids: Collection[int], *, since: datetime, actor: Actor = SYSTEM
) -> Erasure:
    """The same for many at once, save those who have a contact that was not closed before then.

    Raises Busy as `erase_lead` does; then nobody's data are erased.
    """

    def erase() -> Erasure:
        held = _lock(lead_ids)
        late = held.contacts.filter(not_closed_before(since))
        active = set(late.values_list("lead", flat=True))
        return _erase(held, [each for each in held.leads if _person(each) not in active], actor)

    return settled_soon(erase)


def not_closed_before(moment: datetime) -> Q:
    return OPEN | Q(closed_at__gte=moment)


def _lock(lead_ids: Collection[int]) -> Held:
    imports = lock_unfinished_imports()
    leads = lock_people(lead_ids)
    return Held(imports, leads, lock_contacts_of([lead.pk for lead in leads]))


def _person(lead: Lead) -> int:
    """The id of the one who stands for it, and has the contacts."""
    return lead.merged_into_id or lead.pk


def _erase(held: Held, chosen: list[Lead], actor: Actor) -> Erasure:
    """Of the leads held, those chosen."""
    leads = [lead for lead in chosen if lead.erased_at is None]
    if not leads:
        return Erasure(0, 0)
    contacts = Contact.objects.filter(lead__in=leads)
    former = [(lead.external_id, lead.name, lead.phone, lead.email) for lead in leads]
    wipe_soon()
    erase_profiles(leads, now=timezone.now())
    blank_answers(leads, contacts, former={text for texts in former for text in texts if text})
    refuse_rows(held.imports, {external_id for external_id, *_ in former})
    forget_values(leads)
    blank_log(leads)
    note_done_to_each(leads, ERASED, actor=actor)
    counted = contacts.count()
    contacts.exclude(message="").update(message="")
    Message.objects.filter(contact__in=contacts).delete()
    return Erasure(len({_person(lead) for lead in leads}), counted)
