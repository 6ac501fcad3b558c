"""Which notices go to operators, and how."""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from contacts.events.models import Event, Subscription
from contacts.events.services import change_subscription, shown_secret
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_created, note_values
from crm_project.encryption import encrypt, masked
from crm_project.errors import invalid

Kind = Subscription.Kind
# What an operator has to know of.
EVENTS = [
    Event.CONTACT_ASSIGNED.value,
    Event.CONTACT_REASSIGNED.value,
    Event.CONTACT_MESSAGE_RECEIVED.value,
]
# As Telegram makes them: the bot's id and 35 characters.
TOKEN = re.compile(r"[0-9]{5,20}:[A-Za-z0-9_-]{20,64}")


def why_not(notice: Subscription, *, token: str = "") -> str:
    """Why nothing could be sent with this token, empty meaning the one kept; empty: it can."""
    if notice.kind == Kind.TELEGRAM:
        if token and not TOKEN.fullmatch(token):
            return _("This is no token of a bot; one looks like 123456:ABC-DEF….")
        if not token and not shown_secret(notice):
            return _("Paste the token that @BotFather has given.")
    elif settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"):
        return _("First set CRM_EMAIL_URL, the server that sends e-mails, and restart.")
    return ""


@transaction.atomic
def create_notice(notice: Subscription, *, token: str = "", actor: Actor = SYSTEM) -> None:
    """Save new notices of a kind. Raises a ValidationError where it is not set up."""
    _check(notice, token)
    notice.name, notice.events = notice.get_kind_display(), EVENTS
    notice.secret = encrypt(token) if token else ""
    notice.save(force_insert=True)
    note_created(notice, ["name", "source", "is_active"], actor=actor)


@transaction.atomic
def change_notice(
    notice: Subscription,
    changes: Mapping[str, Any],
    *,
    token: str = "",
    expected: Mapping[str, Any] | None = None,
    actor: Actor = SYSTEM,
) -> Subscription:
    """Change the given fields, and the token if it is not empty; what waits is tried at once.

    `expected` are values that the change rests on. Raises Conflict where one is another now, and a
    ValidationError where it is not set up.
    """
    stored = change_subscription(notice, changes, expected=expected, actor=actor)
    if stored.is_active:
        _check(stored, token)
    if token:
        before, stored.secret = shown_secret(stored), encrypt(token)
        stored.next_attempt_at = None
        stored.save(update_fields=["secret", "next_attempt_at"])
        note_values(stored, {"token": (before, masked(token))}, actor=actor)
    return stored


def _check(notice: Subscription, token: str) -> None:
    if wrong := why_not(notice, token=token):
        raise invalid("token" if notice.kind == Kind.TELEGRAM else "is_active", wrong)
