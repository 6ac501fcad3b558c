"""Every write to subscriptions that a person asks for. What sending brings about is in `outcomes`.

A secret's text is returned once, when it is made.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from contacts.events.addresses import objection
from contacts.events.models import TEST, Delivery, Event, Subscription
from contacts.events.signing import is_secret, new_secret
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_changed, note_created, note_deleted, note_values
from crm_project.encryption import UnreadableError, decrypt, encrypt, masked
from crm_project.errors import Conflict, invalid
from sources.models import Source

TOLD_OF_NEW = ["name", "url", "events", "source", "is_active"]
State = Delivery.State


class DeliveryPending(Conflict):
    default_code = "delivery_pending"


class SubscriptionInactive(Conflict):
    default_code = "webhook_inactive"


@transaction.atomic
def create_webhook(subscription: Subscription, *, secret: str = "", actor: Actor = SYSTEM) -> str:
    """Save a new subscription, and tell it of what happens from now on; the text of its secret.

    An empty secret means a new one. Raises a ValidationError that names the field.
    """
    _check(subscription)
    secret = _checked_secret(secret)
    subscription.secret = encrypt(secret)
    subscription.save(force_insert=True)
    note_created(subscription, TOLD_OF_NEW, actor=actor)
    return secret


@transaction.atomic
def change_webhook(
    subscription: Subscription,
    changes: Mapping[str, Any],
    *,
    expected: Mapping[str, Any] | None = None,
    actor: Actor = SYSTEM,
) -> Subscription:
    """As `change_subscription`; raises a ValidationError, too, that names the field."""
    changed = change_subscription(subscription, changes, expected=expected, actor=actor)
    _check(changed)
    return changed


@transaction.atomic
def change_subscription(
    subscription: Subscription,
    changes: Mapping[str, Any],
    *,
    expected: Mapping[str, Any] | None = None,
    actor: Actor = SYSTEM,
) -> Subscription:
    """Change the given fields and no other. One that is switched on again is tried at once.

    `expected` are values that the change rests on; raises Conflict where one is another now.
    """
    same_kind = type(subscription).objects
    stored = same_kind.select_for_update(no_key=True).get(pk=subscription.pk)
    before = {name: getattr(stored, name) for name in changes}
    if any(before[name] != value for name, value in (expected or {}).items()):
        raise Conflict
    for name, value in changes.items():
        setattr(stored, name, value)
    names = [*changes]
    if changes.get("is_active") and not before["is_active"]:
        stored.failures, stored.failing_since, stored.next_attempt_at = 0, None, None
        stored.deactivated_because = ""
        names += ["failures", "failing_since", "next_attempt_at", "deactivated_because"]
    stored.save(update_fields=names)
    note_changed(stored, before, actor=actor)
    return stored


@transaction.atomic
def rotate_secret(subscription: Subscription, *, secret: str = "", actor: Actor = SYSTEM) -> str:
    """Sign with another secret from now on; its text. An empty one means a new one."""
    secret = _checked_secret(secret)
    before = shown_secret(subscription)
    subscription.secret = encrypt(secret)
    subscription.save(update_fields=["secret"])
    note_values(subscription, {"secret": (before, masked(secret))}, actor=actor)
    return secret


def shown_secret(subscription: Subscription) -> str:
    """For people to tell it from others; empty: it cannot be read, as it was kept by another key
    of this service.
    """
    try:
        return masked(decrypt(subscription.secret)) if subscription.secret else ""
    except UnreadableError:
        return ""


@transaction.atomic
def delete_webhook(subscription: Subscription, *, actor: Actor = SYSTEM) -> None:
    """With all that it was told of, or is still to be told of."""
    note_deleted(subscription, actor=actor)
    subscription.delete()


def send_test(subscription: Subscription) -> Delivery:
    """Tell it of nothing, in its turn. Raises SubscriptionInactive."""
    if not subscription.is_active:
        raise SubscriptionInactive(_("The subscription is switched off."))
    _try_at_once(subscription.pk)
    return Delivery.objects.create(subscription=subscription, event=TEST)


@transaction.atomic
def resend(delivery: Delivery) -> Delivery:
    """Send it again, before what came later and is not sent yet. Raises DeliveryPending."""
    settled = Delivery.objects.filter(pk=delivery.pk).exclude(state=State.PENDING)
    values = {"state": State.PENDING, "attempts": 0, "delivered_at": None, "last_error": ""}
    if not settled.update(**values):
        raise DeliveryPending(_("It is still to be sent."))
    _try_at_once(delivery.subscription_id)
    delivery.refresh_from_db()
    return delivery


def _try_at_once(subscription_id: int) -> None:
    Subscription.objects.filter(pk=subscription_id).update(next_attempt_at=None)


def problems(url: str, events: list[str], source: Source | None) -> dict[str, tuple[str, str]]:
    """By field, what is wrong with a subscription like this: in words, and its code."""
    found = {}
    if wrong := objection(url):
        found["url"] = (str(wrong.label), wrong.value)
    if not events:
        found["events"] = (_("Choose at least one event."), "empty")
    elif source and Event.LEAD_CREATED in events:
        text = _("New leads belong to no source: leave the source empty, or leave them out.")
        found["events"] = (text, "invalid")
    return found


def _check(subscription: Subscription) -> None:
    wrong = problems(subscription.url, subscription.events, subscription.source)
    for field, (text, code) in wrong.items():
        raise invalid(field, text, code=code)


def _checked_secret(secret: str) -> str:
    if secret and not is_secret(secret):
        raise invalid("secret", _("A secret is whsec_ and 24 to 64 bytes in base64."))
    return secret or new_secret()
