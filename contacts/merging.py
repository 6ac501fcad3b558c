"""Two leads that are one person become one.

Lock order: leads by pk, then contacts, for which nobody is made to wait: others lock several of
them in orders of their own, some while they hold what we would have to wait for.
"""

import time
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext_noop

from contacts.models import Contact
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_changed, note_values
from crm_project.errors import Busy, StaleError
from leads.models import Lead
from leads.services import absorb_lead

ATTEMPTS = 40
# Seconds; what locks a contact otherwise takes milliseconds.
PAUSE = 0.05
# What the account of changes calls them.
ABSORBED, MOVED = gettext_noop("merged with"), gettext_noop("contacts moved")


@dataclass(frozen=True, slots=True)
class Merge:
    """Who stayed, and how many contacts came from the other."""

    survivor: Lead
    contacts: int


def merge_leads(*, survivor_id: int, merged_id: int, actor: Actor = SYSTEM) -> Merge:
    """Move all contacts of one lead to another, which stands for both from now on.

    Nothing is lost: the merged lead keeps its row, and what it knows fills what the survivor
    lacks. Raises SameLead, LeadIsMerged, Lead.DoesNotExist, and Busy where one of the contacts is
    being worked on for seconds.
    """
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                before = (
                    Lead.objects.filter(pk=survivor_id).values("name", "phone", "email").first()
                )
                survivor = absorb_lead(survivor_id, merged_id)
                done = Merge(survivor, _move_contacts(merged_id, survivor))
                note_changed(survivor, before or {}, actor=actor)
                _note(done, Lead.objects.get(pk=merged_id), actor)
                return done
        except StaleError:
            time.sleep(PAUSE)
    raise Busy


def _note(done: Merge, merged: Lead, actor: Actor) -> None:
    """Keep it with both."""
    told = {ABSORBED: (None, f"{merged} ({merged.external_id})"), MOVED: (0, done.contacts)}
    note_values(done.survivor, told, actor=actor)
    note_values(merged, {"merged_into": (None, str(done.survivor))}, actor=actor)


def _move_contacts(merged_id: int, survivor: Lead) -> int:
    """How many went; under the locks of both leads, so that no other arrives meanwhile.

    Raises StaleError where one of them is locked.
    """
    theirs = Contact.objects.filter(lead=merged_id)
    free = theirs.order_by().select_for_update(no_key=True, skip_locked=True)
    locked = len(free.values_list("pk"))
    if locked < theirs.count():
        raise StaleError
    return theirs.update(lead=survivor)
