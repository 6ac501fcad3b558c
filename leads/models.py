"""People who write to us."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class Lead(models.Model):
    """A person who wrote to us, known by the id that the outside world gives them.

    Name, phone and e-mail are kept as they came; an empty one is not known. One that has been
    merged into another stays as it was and has no contacts any more. One whose data have been
    erased has an external id that tells nothing and that nobody can write under.
    """

    external_id = models.CharField(_("external id"), max_length=255, unique=True)
    name = models.CharField(_("name"), max_length=255, blank=True)
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    email = models.CharField(_("e-mail"), max_length=254, blank=True)
    # The same, normalised by `leads.identity`; empty where they are nothing to be found by.
    phone_e164 = models.CharField(_("phone as dialled"), max_length=32, blank=True, editable=False)
    email_key = models.CharField(
        _("e-mail in one case"), max_length=254, blank=True, editable=False
    )
    # The survivor, which is itself merged into nobody; None: this one stands for itself.
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        related_name="merged",
        null=True,
        editable=False,
        db_index=False,
        verbose_name=_("merged into"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    # Since when nothing personal is kept; None: the data are there.
    erased_at = models.DateTimeField(_("erased"), null=True, editable=False)

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        ordering = ["-created_at", "-pk"]
        indexes = [
            # Serves the list, newest first, page by cursor.
            models.Index(fields=["created_at", "id"], name="lead_by_age"),
            # Serve the filters by phone and by e-mail.
            models.Index(fields=["phone"], condition=~Q(phone=""), name="lead_by_phone"),
            models.Index(fields=["email"], condition=~Q(email=""), name="lead_by_email"),
            # Serve the search for duplicates, newest first, and that of the back office.
            models.Index(
                fields=["phone_e164", "id"], condition=~Q(phone_e164=""), name="lead_by_phone_e164"
            ),
            models.Index(
                fields=["email_key", "id"], condition=~Q(email_key=""), name="lead_by_email_key"
            ),
            # Serves the list of those that were merged into one.
            models.Index(
                fields=["merged_into", "id"],
                condition=Q(merged_into__isnull=False),
                name="lead_by_survivor",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(external_id=""), name="lead_external_id_not_empty"),
            models.CheckConstraint(
                condition=~Q(merged_into=F("id")), name="lead_not_merged_into_itself"
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True)
                | Q(name="", phone="", email="", phone_e164="", email_key=""),
                name="lead_erased_has_no_data",
            ),
        ]

    def __str__(self) -> str:
        if self.erased_at:
            return gettext("erased lead № %(id)s") % {"id": self.pk}
        return self.name or self.external_id
