"""What channels deliver becomes contacts, and further messages of those that are open.

Lock order: an event before everything else, and only one; then the lead, then its open contact or
whatever `contacts.services` locks for a new one. A contact that turns out to be closed is let go of
before that: whoever closes it holds operators.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from contacts.inquiry import Inquiry
from contacts.locks import settled
from contacts.models import OPEN, Contact, Message, ReceivedEvent
from contacts.services import create_contact, create_contacts
from crm_project.actor import SYSTEM, Actor
from crm_project.errors import StaleError
from crm_project.statements import run
from leads.models import Lead
from leads.services import Profile, find_or_create_leads
from sources.channels.protocol import Incoming
from sources.models import Source

# No channel tries for so long to deliver an event.
KEPT = timedelta(days=30)
FORGOTTEN_AT_ONCE = 1_000

Outcome = Literal["created", "appended", "repeated"]


@dataclass(frozen=True, slots=True)
class Received:
    """What became of an event; of one that had come before, `repeated`, there is no contact."""

    outcome: Outcome
    contact: Contact | None = None


def receive(source: Source, incoming: Incoming, *, actor: Actor = SYSTEM) -> Received:
    """Record what somebody wrote through a channel, once per event, all in one transaction.

    Where the source has one contact per conversation and the lead has an open one there, the text
    is added to the newest; else it makes a contact. Of the same event at the same moment the second
    waits for the first. Raises SourceInactive in place of making a contact, and LeadIsErased.
    """
    return settled(lambda: _receive(source, incoming, actor))


def _receive(source: Source, incoming: Incoming, actor: Actor) -> Received:
    now = timezone.now()
    if incoming.event_id is not None and not _claim(source, incoming.event_id, now):
        return Received("repeated")
    inquiry = _inquiry(source, incoming)
    if not source.reuse_open_contact:
        return Received("created", create_contact(inquiry, actor=actor)[0])
    lead = _lock_lead(inquiry, now)
    if contact := _lock_open_contact(lead, source):
        sent_at = incoming.sent_at or now
        Message.objects.create(
            contact=contact, text=inquiry.message, sent_at=sent_at, created_at=now
        )
        return Received("appended", contact)
    if lead.external_id == inquiry.external_id:
        return Received("created", create_contact(inquiry, actor=actor)[0])
    # The short way would lock the row that was merged into this lead, out of their order.
    return Received("created", create_contacts([inquiry], actor=actor)[0][0])


def forget_old_events(now: datetime) -> None:
    """Delete those kept for longer than any channel would deliver them again, in parts."""
    old = ReceivedEvent.objects.filter(created_at__lt=now - KEPT).order_by("created_at")
    # Nearly always there are none: to look makes nobody wait.
    while old.exists() and _delete_some(old):
        pass


@transaction.atomic
def _delete_some(events: QuerySet[ReceivedEvent]) -> bool:
    """Were there any that nobody else is deleting?"""
    locked = events.select_for_update(skip_locked=True).values_list("pk", flat=True)
    ids = list(locked[:FORGOTTEN_AT_ONCE])
    ReceivedEvent.objects.filter(pk__in=ids).delete()
    return bool(ids)


_CLAIM = (
    "INSERT INTO contacts_receivedevent (key, created_at) VALUES (%s, %s)"
    " ON CONFLICT (key) DO NOTHING RETURNING key"
)


def _claim(source: Source, event_id: str, now: datetime) -> bool:
    """Is it ours to deal with? Waits for whoever deals with it at this moment."""
    field = ReceivedEvent._meta.pk
    key = field.get_db_prep_value(_digest(source, event_id), connection)
    return bool(run(_CLAIM, [key, connection.ops.adapt_datetimefield_value(now)]))


def _digest(source: Source, event_id: str) -> UUID:
    named = f"{source.pk} {event_id}".encode(errors="surrogatepass")
    return UUID(bytes=sha256(named).digest()[:16])


def _lock_lead(inquiry: Inquiry, now: datetime) -> Lead:
    """So that of two first messages at once the second finds the contact of the first."""
    leads = find_or_create_leads({inquiry.external_id: inquiry.profile}, now=now)
    return leads[inquiry.external_id]


def _lock_open_contact(lead: Lead, source: Source) -> Contact | None:
    """The newest one that the lead, which is locked, has in the source."""
    pk = _newest_open(lead, source)
    if pk is None:
        return None
    contact = Contact.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if contact is None or not contact.is_open:
        # With the lock on it we must not wait for operators.
        raise StaleError
    return contact


def _newest_open(lead: Lead, source: Source) -> int | None:
    mine = Contact.objects.filter(OPEN, lead=lead, source=source)
    return mine.order_by("-created_at", "-pk").values_list("pk", flat=True).first()


def _inquiry(source: Source, incoming: Incoming) -> Inquiry:
    """As `POST /contacts` would read it; but what is too long is cut, as there is nobody whom to
    tell.
    """
    return Inquiry(
        source,
        _text(incoming.external_id, 255),
        _text(incoming.message, 10_000),
        Profile(
            name=_text(incoming.name, 255).strip(),
            phone=_text(incoming.phone, 64),
            email=_text(incoming.email, 254),
        ),
    )


def _text(text: str, longest: int) -> str:
    """Without what no text may hold: NUL and halves of characters."""
    return text.replace("\0", "").encode(errors="ignore").decode()[:longest]
