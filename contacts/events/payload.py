"""What is told of an event: read when it is sent, so that nothing is told of who was erased."""

import json
from typing import Any

from contacts.events.models import TEST, Delivery
from contacts.models import Contact
from crm_project.api.fields import moment
from leads.models import Lead


def body_of(delivery: Delivery) -> bytes:
    """The body of its message; of a contact or lead that is gone, only the ids."""
    if delivery.event == TEST:
        data: dict[str, Any] = {}
    elif delivery.contact_id is None:
        data = {"lead": _lead(Lead.objects.filter(pk=delivery.lead_id).first(), delivery.lead_id)}
    else:
        contacts = Contact.objects.select_related("source", "lead")
        contact = contacts.filter(pk=delivery.contact_id).first()
        lead = contact.lead if contact else None
        data = {"contact": _contact(contact, delivery), "lead": _lead(lead, delivery.lead_id)}
    message = {"type": delivery.event, "timestamp": moment(delivery.created_at), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _contact(contact: Contact | None, delivery: Delivery) -> dict[str, Any]:
    """As it is now, with whom it had by the event."""
    told: dict[str, Any] = {
        "id": delivery.contact_id,
        "lead_id": delivery.lead_id,
        "source_id": delivery.source_id,
        "operator_id": delivery.operator_id,
        "operator_name": delivery.operator_name or None,
        "previous_operator_id": delivery.previous_operator_id,
    }
    if contact is None:
        return told
    return told | {
        "lead_id": contact.lead_id,
        "source_code": contact.source.code,
        "status": contact.status,
        "message": contact.message,
        "created_at": moment(contact.created_at),
        "assigned_at": moment(contact.assigned_at),
        "closed_at": moment(contact.closed_at),
        "waiting_since": moment(contact.waiting_since),
    }


def _lead(lead: Lead | None, pk: int | None) -> dict[str, Any]:
    if lead is None:
        return {"id": pk}
    return {
        "id": lead.pk,
        "external_id": lead.external_id,
        "name": lead.name,
        "phone": lead.phone,
        "email": lead.email,
        "created_at": moment(lead.created_at),
    }
