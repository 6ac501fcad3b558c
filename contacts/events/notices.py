"""What an operator is told of a contact that is his or hers now."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from contacts.events.models import Delivery, Event
from contacts.models import Contact
from operators.models import Operator

# Of what the lead wrote: who wants to answer opens the contact.
MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """To one operator, in the language of the service."""

    operator: Operator
    subject: str
    text: str


def notice_of(delivery: Delivery) -> Notice | None:
    """None where it is no matter of the operator's any more: closed, erased, or somebody else's."""
    contacts = Contact.objects.select_related("operator", "lead", "source")
    contact = contacts.filter(pk=delivery.contact_id, operator=delivery.operator_id).first()
    if contact is None or contact.operator is None or not contact.is_open:
        return None
    with translation.override(settings.LANGUAGE_CODE):
        subject = _subject(delivery, contact)
        return Notice(contact.operator, subject, _text(contact, subject, _said(delivery, contact)))


def _subject(delivery: Delivery, contact: Contact) -> str:
    text = {
        Event.CONTACT_ASSIGNED: _("New contact № %(number)s: %(lead)s"),
        Event.CONTACT_MESSAGE_RECEIVED: _("New message in contact № %(number)s: %(lead)s"),
        Event.CONTACT_REASSIGNED: _("Contact № %(number)s has been handed to you: %(lead)s"),
    }.get(Event(delivery.event), _("Contact № %(number)s: %(lead)s"))
    # A subject is one line.
    lead = " ".join(str(contact.lead).split())
    return text % {"number": contact.pk, "lead": Truncator(lead).chars(100)}


def _said(delivery: Delivery, contact: Contact) -> str:
    """What the lead wrote: in the beginning, or last."""
    if delivery.event != Event.CONTACT_MESSAGE_RECEIVED:
        return contact.message
    newest = contact.messages.order_by("-created_at", "-pk").first()
    return newest.text if newest else ""


def _text(contact: Contact, subject: str, said: str) -> str:
    lead = contact.lead
    parts = [
        subject,
        _("Source: %(source)s") % {"source": contact.source.name},
        *(each for each in (lead.phone, lead.email) if each),
    ]
    if said:
        parts += ["", Truncator(said).chars(MOST_CHARACTERS)]
    if settings.PUBLIC_URL:
        page = reverse("admin:contacts_contact_change", args=[contact.pk])
        parts += ["", f"{settings.PUBLIC_URL}{page}"]
    return "\n".join(parts)
