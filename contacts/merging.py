"""Two leads that are one person become one.

Lock order: leads by pk, then contacts, for which nobody is made to wait (`contacts.locks`).
"""

from dataclasses import dataclass

from django.utils.translation import gettext_noop

from contacts.locks import lock_contacts_of, settled_soon
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_changed, note_values
from leads.models import Lead
from leads.services import absorb_lead

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
    lacks. Raises SameLead, LeadIsMerged, LeadIsErased, Lead.DoesNotExist, and Busy where one of the
    contacts is being worked on for seconds.
    """

    def merge() -> Merge:
        before = Lead.objects.filter(pk=survivor_id).values("name", "phone", "email").first()
        survivor = absorb_lead(survivor_id, merged_id)
        done = Merge(survivor, lock_contacts_of([merged_id]).update(lead=survivor))
        note_changed(survivor, before or {}, actor=actor)
        _note(done, Lead.objects.get(pk=merged_id), actor)
        return done

    return settled_soon(merge)


def _note(done: Merge, merged: Lead, actor: Actor) -> None:
    """Keep it with both."""
    told = {ABSORBED: (None, f"{merged} ({merged.external_id})"), MOVED: (0, done.contacts)}
    note_values(done.survivor, told, actor=actor)
    note_values(merged, {"merged_into": (None, str(done.survivor))}, actor=actor)
