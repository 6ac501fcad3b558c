"""The heart: one contact, one lead, one source, at most one operator."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.record_fields import CandidatesField, SkippedField
from contacts.tally.models import ContactTally, DrawTally, Mark
from leads.models import Lead
from operators.models import Operator
from sources.models import Source

__all__ = [
    "OPEN",
    "UNTAKEN",
    "WAITING",
    "Contact",
    "ContactTally",
    "DecisionRecord",
    "DrawTally",
    "IdempotencyKey",
    "ImportPart",
    "ImportRun",
    "ImportedRow",
    "Load",
    "Mark",
    "Message",
    "ReceivedEvent",
    "Rotation",
]


class Contact(models.Model):
    """One approach of a lead through a source, answered by at most one operator.

    Open means `new` or `in_progress`. An open contact without operator waits; a closed one
    without operator was closed while waiting, or its operator has been deleted since.
    """

    class Status(models.TextChoices):
        NEW = "new", _("new")
        IN_PROGRESS = "in_progress", _("in progress")
        CLOSED = "closed", _("closed")

    lead = models.ForeignKey(
        Lead, models.PROTECT, related_name="contacts", db_index=False, verbose_name=_("lead")
    )
    source = models.ForeignKey(
        Source, models.PROTECT, related_name="contacts", db_index=False, verbose_name=_("source")
    )
    # PROTECT, because `contacts.staffing.delete_operator` hands the open contacts out first.
    operator = models.ForeignKey(
        Operator,
        models.PROTECT,
        related_name="contacts",
        null=True,
        editable=False,
        db_index=False,
        verbose_name=_("operator"),
    )
    status = models.CharField(
        _("status"), max_length=20, choices=Status, default=Status.NEW, editable=False
    )
    message = models.TextField(_("message"), max_length=10_000, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    assigned_at = models.DateTimeField(_("assigned"), null=True, editable=False)
    # Its place in the queue of its source; None while it does not wait.
    waiting_since = models.DateTimeField(_("waiting since"), null=True, editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, editable=False)
    # How often it went to somebody else because nobody took it in time, up to now.
    handovers = models.PositiveSmallIntegerField(_("handovers"), default=0, editable=False)
    # Since when it is a matter for the team lead; None: it is not.
    escalated_at = models.DateTimeField(_("marked for the team lead"), null=True, editable=False)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-created_at", "-pk"]
        indexes = [
            # Serves the count of open contacts per operator, taken under the lock.
            models.Index(
                fields=["operator"],
                condition=Q(closed_at__isnull=True),
                name="contact_open_by_operator",
            ),
            # Serves the list of those that wait.
            models.Index(
                fields=["created_at", "id"],
                condition=Q(waiting_since__isnull=False),
                name="contact_waiting_newest",
            ),
            # Serves the queue of a source, and whether it has one.
            models.Index(
                fields=["source", "waiting_since", "id"],
                condition=Q(waiting_since__isnull=False),
                name="contact_queue",
            ),
            # Serves the lists of what is open, as they are ordered.
            models.Index(
                fields=["created_at", "id"],
                condition=Q(closed_at__isnull=True),
                name="contact_open_by_age",
            ),
            # Serves the search for those not taken in time, and the figures of a source.
            models.Index(
                fields=["source", "assigned_at"],
                condition=Q(closed_at__isnull=True),
                name="contact_open_by_source",
            ),
            # Serves the list of those marked for the team lead.
            models.Index(
                fields=["created_at", "id"],
                condition=Q(escalated_at__isnull=False),
                name="contact_escalated_newest",
            ),
            # Serve the lists, newest first, by cursor: all, a lead's, a source's, an operator's.
            models.Index(fields=["created_at", "id"], name="contact_by_age"),
            models.Index(fields=["lead", "created_at", "id"], name="contact_by_lead"),
            models.Index(fields=["source", "created_at", "id"], name="contact_by_source"),
            models.Index(fields=["operator", "created_at", "id"], name="contact_by_operator"),
            # Serves the count of those closed today, and on each of the last days.
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False),
                name="contact_by_closing",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["new", "in_progress", "closed"]),
                name="contact_status_is_known",
            ),
            models.CheckConstraint(
                condition=(Q(status="closed") & Q(closed_at__isnull=False))
                | (~Q(status="closed") & Q(closed_at__isnull=True)),
                name="contact_closed_at_iff_closed",
            ),
            models.CheckConstraint(
                condition=Q(operator__isnull=True) | Q(assigned_at__isnull=False),
                name="contact_assigned_at_with_operator",
            ),
            models.CheckConstraint(
                condition=(
                    ~Q(status="closed") & Q(operator__isnull=True) & Q(waiting_since__isnull=False)
                )
                | (
                    (Q(status="closed") | Q(operator__isnull=False)) & Q(waiting_since__isnull=True)
                ),
                name="contact_waiting_since_iff_waiting",
            ),
            models.CheckConstraint(
                condition=Q(escalated_at__isnull=True) | Q(status="new", operator__isnull=False),
                name="contact_escalated_only_while_untaken",
            ),
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status != self.Status.CLOSED


# The same as not `closed`, by a constraint. SQLite uses an index with a condition only where no
# parameter stands in it, as it would for a status.
OPEN = Q(closed_at__isnull=True)
# The same as open and without operator, by a constraint.
WAITING = Q(waiting_since__isnull=False)
# Those of the index `contact_open_by_source` that somebody has, and may take too late.
UNTAKEN = OPEN & Q(status=Contact.Status.NEW, operator__isnull=False, escalated_at__isnull=True)


class Message(models.Model):
    """What a lead wrote further, after what made the contact; that is the contact's own."""

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="messages",
        db_index=False,
        verbose_name=_("contact"),
    )
    text = models.TextField(_("text"), max_length=10_000, blank=True)
    # When it was sent as the channel says; what was on its way may arrive in another order.
    sent_at = models.DateTimeField(_("sent"))
    created_at = models.DateTimeField(_("received"), default=timezone.now)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["sent_at", "pk"]
        indexes = [
            # Serves the messages of a contact.
            models.Index(fields=["contact", "sent_at", "id"], name="message_by_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.sent_at:%Y-%m-%d %H:%M}"


class ReceivedEvent(models.Model):
    """An event of a channel that we have dealt with, so that its redelivery does nothing.

    Written in the transaction that makes what it brings about, and forgotten after a month: no
    channel tries for so long.
    """

    # A digest of the source and the id that the event had: an id may be somebody's number.
    key = models.UUIDField(_("key"), primary_key=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("received event")
        verbose_name_plural = _("received events")
        ordering = ["pk"]
        indexes = [
            # Serves the search for those to be forgotten.
            models.Index(fields=["created_at"], name="received_event_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.key)


class Load(models.Model):
    """How many open contacts an operator has, over all sources; of who never had one, no row.

    Triggers of the database keep it (migration 0012), whoever writes to contacts, and nobody else
    does: see docs/decisions/0016-loads-kept-by-triggers.md.
    """

    operator = models.OneToOneField(
        Operator,
        models.CASCADE,
        primary_key=True,
        related_name="load",
        # Of whom there are contacts, by theirs.
        db_constraint=False,
        verbose_name=_("operator"),
    )
    open_contacts = models.IntegerField(_("open contacts"))

    class Meta:
        verbose_name = _("load")
        verbose_name_plural = _("loads")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.operator_id}: {self.open_contacts}"


class DecisionRecord(models.Model):
    """One decision about who answers a contact, with everything it was made of.

    Never changed, and never recomputed from later data. Operators are kept by id and name, so
    that the record outlives them; `operator_id` None means that the contact waits from then on.
    """

    class Kind(models.TextChoices):
        CREATE = "create", _("arrival")
        WAITING = "waiting", _("from the queue")
        REASSIGN = "reassign", _("reassigned")
        REOPEN = "reopen", _("reopened")
        RELEASE = "release", _("released")
        MANUAL = "manual", _("by hand")
        TIMEOUT = "timeout", _("not taken in time")

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="decisions",
        db_index=False,
        verbose_name=_("contact"),
    )
    source = models.ForeignKey(
        Source, models.PROTECT, related_name="+", db_index=False, verbose_name=_("source")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    operator_id = models.BigIntegerField(_("operator"), null=True)
    operator_name = models.CharField(_("operator's name"), max_length=100, blank=True)
    previous_operator_id = models.BigIntegerField(_("previous operator"), null=True)
    strategy = models.CharField(_("strategy"), max_length=50, blank=True)
    candidates = CandidatesField(_("candidates"), default=list)
    skipped = SkippedField(_("passed over"), default=list)
    # "id:weight,..." of the candidates of a weighted draw, in order of ids; empty for the rest.
    odds = models.TextField(_("odds"), blank=True)
    draw = models.FloatField(_("draw"), null=True)
    forced = models.BooleanField(_("above the limit by force"), default=False)
    # Was the source's queue to be obeyed at that time?
    auto_assign_waiting = models.BooleanField(_("hand out by itself"), default=True)
    actor_type = models.CharField(_("who asked"), max_length=20)
    actor_name = models.CharField(_("name"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-pk"]
        indexes = [
            # Serves the history of a contact.
            models.Index(fields=["contact", "id"], name="decision_by_contact"),
            # Serves the fairness of a source, and the deletion of one.
            models.Index(fields=["source", "created_at"], name="decision_by_source"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "create",
                        "waiting",
                        "reassign",
                        "reopen",
                        "release",
                        "manual",
                        "timeout",
                    ]
                ),
                name="decision_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(draw__isnull=True) | (Q(draw__gte=0) & Q(draw__lt=1)),
                name="decision_draw_in_unit_interval",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Rotation(models.Model):
    """How far the smooth rotation of a source has come among one set of operators.

    Each set of available operators and weights rotates by itself, so that everybody gets exact
    turns among the same colleagues, whoever came and went in between.
    """

    source = models.ForeignKey(
        Source, models.CASCADE, related_name="+", db_index=False, verbose_name=_("source")
    )
    # SHA-256, in hex, of "id:weight,..." of the operators in order of ids.
    among = models.CharField(_("among"), max_length=64)
    # Contacts that each, by id, got in the present cycle; all zero at its start.
    turns = models.JSONField(_("turns"), default=dict)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now)

    class Meta:
        verbose_name = _("rotation")
        verbose_name_plural = _("rotations")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["source", "among"], name="rotation_once_per_set"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.among[:8]}"


class IdempotencyKey(models.Model):
    """The answer to a request that came with a key of its sender's choice, to be given again.

    Written in the transaction of the work it tells of, so that both are there or neither is.
    """

    credential = models.CharField(_("whose"), max_length=100)
    endpoint = models.CharField(_("endpoint"), max_length=100)
    key = models.CharField(_("key"), max_length=255)
    # SHA-256, in hex, of the body that came with it, however that was written.
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    # None until the work is done, which nobody but its own transaction sees.
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    body = models.TextField(_("body of the answer"), blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        ordering = ["-pk"]
        indexes = [
            # Serves the search for expired ones.
            models.Index(fields=["created_at"], name="idempotency_key_by_age"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["credential", "endpoint", "key"], name="idempotency_key_is_answered_once"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class ImportedRow(models.Model):
    """A row of a file that is a contact since, so that it never becomes a second one.

    Written in the transaction that makes the contact, and kept for as long as contacts are.
    """

    # A digest of the source and the id that the row had (`contacts.importing`): an id may be
    # somebody's number.
    key = models.UUIDField(_("key"), primary_key=True, editable=False)

    class Meta:
        verbose_name = _("imported row")
        verbose_name_plural = _("imported rows")
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.key)


class ImportRun(models.Model):
    """A file that somebody sent to be imported, and how far that has come.

    Forgotten after a day, finished or not.
    """

    # One of `contacts.import_rows.KINDS`.
    kind = models.CharField(_("kind"), max_length=20)
    file_name = models.CharField(_("file"), max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    unused_columns = models.JSONField(_("columns not used"), default=list)
    # Rows that passed the check, in all and by the ids of their sources, and rows that did not.
    rows = models.PositiveIntegerField(_("rows"), default=0)
    rows_by_source = models.JSONField(_("rows by source"), default=dict)
    faulty_rows = models.PositiveIntegerField(_("rows with errors"), default=0)
    # None until all of the file is kept in parts.
    parts = models.PositiveIntegerField(_("parts"), null=True)
    parts_done = models.PositiveIntegerField(_("parts imported"), default=0)
    # What became of the imported rows: names of outcomes, with counts.
    outcomes = models.JSONField(_("outcomes"), default=dict)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.file_name


class ImportPart(models.Model):
    """Some rows of a file, imported in one transaction, and what is wrong with others."""

    run = models.ForeignKey(ImportRun, models.CASCADE, db_index=False, verbose_name=_("import"))
    number = models.PositiveIntegerField(_("number"))
    # JSON as text, which unlike a JSON column holds NUL; `items` are emptied by the import.
    items = models.TextField(_("rows"))
    faults = models.TextField(_("errors"))

    class Meta:
        verbose_name = _("part of an import")
        verbose_name_plural = _("parts of imports")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="import_part_once_per_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"
