"""Who wants to hear what happens, and what is still to be told."""

import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.events.failures import Failure
from sources.models import Source


class Event(models.TextChoices):
    """What a subscription can be for; written by the triggers of `contacts.events.triggers`."""

    CONTACT_CREATED = "contact.created", _("a contact has arrived")
    CONTACT_ASSIGNED = "contact.assigned", _("a contact has been given to an operator")
    CONTACT_REASSIGNED = "contact.reassigned", _("a contact has gone to another operator")
    CONTACT_WAITING = "contact.waiting", _("a contact waits for an operator")
    CONTACT_MESSAGE_RECEIVED = "contact.message_received", _("a lead has written further")
    CONTACT_CLOSED = "contact.closed", _("a contact has been closed")
    LEAD_CREATED = "lead.created", _("a lead has written for the first time")


# Sent when somebody wants to see whether a subscription works.
TEST = "webhook.test"


def new_prefix() -> str:
    return secrets.token_hex(4)


class Subscription(models.Model):
    """Somebody who is told of events, of those that happen while it is active.

    The triggers read `is_active`, `events` and `source_id`.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", _("webhook")
        # Notices to the operator whom an event concerns.
        TELEGRAM = "telegram", _("Telegram")
        EMAIL = "email", _("e-mail")

    class Because(models.TextChoices):
        GONE = "gone", _("The receiver said that it is there no more (410).")

    name = models.CharField(_("title"), max_length=100)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.WEBHOOK)
    url = models.CharField(_("address"), max_length=1000, blank=True)
    # Encrypted by `crm_project.encryption`.
    secret = models.TextField(_("secret"), blank=True, editable=False)
    # Of `Event`.
    events = models.JSONField(_("events"), default=list)
    # None: of all; new leads, who come by no source, only then.
    source = models.ForeignKey(
        Source,
        models.CASCADE,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("source"),
        help_text=_("Only what happens in it; empty: in all of them, and new leads too."),
    )
    is_active = models.BooleanField(_("switched on"), default=True)
    # What makes the ids of its deliveries unlike those of other installations.
    prefix = models.CharField(_("prefix"), max_length=20, default=new_prefix, editable=False)
    # Why it was switched off by itself; empty: it was not.
    deactivated_because = models.CharField(
        _("why it was switched off"),
        max_length=200,
        choices=Because,
        blank=True,
        editable=False,
    )
    # Whoever sends for it alone may do so until then; None: nobody does.
    leased_until = models.DateTimeField(_("leased until"), null=True, editable=False)
    # None: at once.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, editable=False)
    # Failed attempts, one after the other, and when the first of them was; 0 and None: it is well.
    failures = models.PositiveIntegerField(_("failed attempts"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="subscription_name_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name


class OperatorNotice(Subscription):
    """A way to tell operators of their contacts, as the back office shows it."""

    class Meta:
        proxy = True
        verbose_name = _("notices to operators")
        verbose_name_plural = _("notices to operators")


class Delivery(models.Model):
    """One event, to be told to one subscription: the outbox.

    Written by triggers in the transaction of what it tells of, or by who asks for a test. Nothing
    personal is kept here: what is told of a contact or a lead is read when it is sent.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("to be sent")
        DELIVERED = "delivered", _("delivered")
        DEAD = "dead", _("given up")

    # Without a constraint, which would fail an arrival while a subscription is being deleted.
    subscription = models.ForeignKey(
        Subscription,
        models.CASCADE,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
        verbose_name=_("subscription"),
    )
    event = models.CharField(_("event"), max_length=40)
    contact_id = models.BigIntegerField(_("contact"), null=True)
    lead_id = models.BigIntegerField(_("lead"), null=True)
    source_id = models.BigIntegerField(_("source"), null=True)
    # Who has the contact by this event, and who had it before; None: nobody.
    operator_id = models.BigIntegerField(_("operator"), null=True)
    operator_name = models.CharField(_("operator's name"), max_length=100, blank=True)
    previous_operator_id = models.BigIntegerField(_("previous operator"), null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # Of the last attempt; None: there was none, or no answer to it.
    response_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    last_error = models.CharField(_("last error"), max_length=200, choices=Failure, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-pk"]
        indexes = [
            # Serves the next one to be sent, and the counts of pending and dead ones.
            models.Index(fields=["subscription", "state", "id"], name="delivery_by_state"),
            # Serves the list of a subscription, newest first, page by cursor.
            models.Index(fields=["subscription", "created_at", "id"], name="delivery_by_age"),
            # Serves the search for old ones.
            models.Index(fields=["created_at"], name="delivery_oldest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "dead"]),
                name="delivery_state_is_known",
            ),
            models.CheckConstraint(
                condition=(Q(state="delivered") & Q(delivered_at__isnull=False))
                | (~Q(state="delivered") & Q(delivered_at__isnull=True)),
                name="delivery_delivered_at_iff_delivered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} № {self.pk}"
