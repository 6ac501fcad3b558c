"""What became of a contact, in words: its decisions, and who moved it to which status."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from contacts.models import Contact, DecisionRecord
from contacts.wording import tell
from crm_project.audit.models import Change
from crm_project.audit.services import changes_of

MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Event:
    """One line; `kind` is a decision's, or `status`. `waits`: it has nobody from then on."""

    when: datetime
    kind: str
    title: str
    text: str
    actor_type: str
    actor_name: str
    waits: bool = False


def timeline(contact: Contact, *, why: bool = True) -> list[Event]:
    """Oldest first, of each sort the newest so many; not `why`: as for `wording.explain`."""
    decisions = contact.decisions.order_by("-pk")[:MOST_EVENTS]
    events = [_decided(each, why=why) for each in decisions]
    changes = changes_of(contact)[:MOST_EVENTS]
    events += [_moved(each) for each in changes if "status" in each.fields]
    return sorted(events, key=lambda event: event.when)


def _decided(record: DecisionRecord, *, why: bool) -> Event:
    return Event(
        when=record.created_at,
        kind=record.kind,
        title=record.get_kind_display(),
        text=tell(record, why=why),
        actor_type=record.actor_type,
        actor_name=record.actor_name,
        waits=record.operator_id is None,
    )


def _moved(change: Change) -> Event:
    names = dict(Contact.Status.choices)
    before, after = change.fields["status"]
    return Event(
        when=change.created_at,
        kind="status",
        title=_("status"),
        text=f"{names.get(before, before)} → {names.get(after, after)}",
        actor_type=change.actor_type,
        actor_name=change.actor_name,
    )
