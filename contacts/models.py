"""The heart: one contact, one lead, one source, at most one operator."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from leads.models import Lead
from operators.models import Operator
from sources.models import Source


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
    # PROTECT, because `contacts.services.delete_operator` hands the open contacts out first.
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
    closed_at = models.DateTimeField(_("closed"), null=True, editable=False)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-created_at", "-pk"]
        indexes = [
            # Serves the count of open contacts per operator, taken under the lock.
            models.Index(
                fields=["operator"], condition=~Q(status="closed"), name="contact_open_by_operator"
            ),
            # Serves the list of those that wait.
            models.Index(
                fields=["created_at", "id"],
                condition=Q(operator=None) & ~Q(status="closed"),
                name="contact_waiting_by_age",
            ),
            # Serve the lists, newest first, by cursor: all, a lead's, a source's, an operator's.
            models.Index(fields=["created_at", "id"], name="contact_by_age"),
            models.Index(fields=["lead", "created_at", "id"], name="contact_by_lead"),
            models.Index(fields=["source", "created_at", "id"], name="contact_by_source"),
            models.Index(fields=["operator", "created_at", "id"], name="contact_by_operator"),
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
        ]

    def __str__(self) -> str:
        return f"№ {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status != self.Status.CLOSED


OPEN = ~Q(status=Contact.Status.CLOSED)
WAITING = OPEN & Q(operator=None)
