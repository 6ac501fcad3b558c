"""Everything kept about a person, as JSON, piece by piece: only some contacts are in memory."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from contacts.erasing import outlooks
from contacts.models import Contact, DecisionRecord, Message
from crm_project.audit.models import Change
from crm_project.audit.services import changes_of
from leads.models import Lead

CONTACTS_AT_ONCE = 500


def as_json(lead_id: int) -> Iterator[str]:
    """One object: the lead who stands for the person, what was merged into it, every change of
    their profiles, and every contact with its further messages and who answered it. There must be
    such a lead.
    """
    [known] = outlooks([lead_id])
    told = {
        "exported_at": timezone.now(),
        "lead": _profile(known.lead),
        "merged": [_profile(lead) for lead in known.merged],
        "changes": [
            {"lead_id": lead.pk, **_change(change)}
            for lead in (known.lead, *known.merged)
            for change in changes_of(lead).order_by("pk")
        ],
    }
    # Without its closing brace, to go on.
    yield f'{_json(told)[:-2]},\n  "contacts": ['
    separator = "\n"
    for contact in _contacts(known.lead):
        yield f"{separator}{_json(contact)}"
        separator = ",\n"
    yield "\n  ]\n}\n"


def file_name(lead_id: int) -> str:
    return f"lead-{lead_id}-{timezone.localdate().isoformat()}.json"


def _profile(lead: Lead) -> dict[str, Any]:
    names = ["id", "external_id", "name", "phone", "phone_e164", "email", "email_key"]
    return {name: getattr(lead, name) for name in [*names, "created_at", "erased_at"]}


def _change(change: Change) -> dict[str, Any]:
    names = ["created_at", "action", "fields", "actor_type", "actor_name"]
    return {name: getattr(change, name) for name in names}


def _contacts(lead: Lead) -> Iterator[dict[str, Any]]:
    """Oldest first, page after page by the key."""
    theirs = Contact.objects.filter(lead=lead).select_related("source", "operator").order_by("pk")
    page = list(theirs[:CONTACTS_AT_ONCE])
    while page:
        said, answered, moved = _messages(page), _decisions(page), _moves(page)
        for each in page:
            yield _contact(each) | {
                "messages": said[each.pk],
                "decisions": answered[each.pk],
                "changes": moved[each.pk],
            }
        page = list(theirs.filter(pk__gt=page[-1].pk)[:CONTACTS_AT_ONCE])


def _contact(contact: Contact) -> dict[str, Any]:
    names = ["id", "status", "message", "created_at", "assigned_at", "waiting_since"]
    return {name: getattr(contact, name) for name in [*names, "escalated_at", "closed_at"]} | {
        "source_code": contact.source.code,
        "source_name": contact.source.name,
        "operator_name": contact.operator.name if contact.operator else None,
    }


def _messages(contacts: Sequence[Contact]) -> defaultdict[int, list[dict[str, Any]]]:
    """Of each contact what was written further."""
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    names = ["id", "text", "sent_at", "created_at"]
    rows = Message.objects.filter(contact__in=contacts).order_by("sent_at", "pk")
    for row in rows.values("contact_id", *names):
        found[row.pop("contact_id")].append(row)
    return found


def _decisions(contacts: Sequence[Contact]) -> defaultdict[int, list[dict[str, Any]]]:
    """Of each contact who was to answer it, and since when."""
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    names = ["created_at", "kind", "operator_name", "actor_type", "actor_name"]
    rows = DecisionRecord.objects.filter(contact__in=contacts).order_by("pk")
    for row in rows.values("contact_id", *names):
        found[row.pop("contact_id")].append(row)
    return found


def _moves(contacts: Sequence[Contact]) -> defaultdict[int, list[dict[str, Any]]]:
    """Of each contact who moved it to which status."""
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    ids = [contact.pk for contact in contacts]
    for change in Change.objects.filter(subject_type="contact", subject_id__in=ids).order_by("pk"):
        found[change.subject_id].append(_change(change))
    return found


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
