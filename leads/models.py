"""People who write to us."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Lead(models.Model):
    """A person who wrote to us, known by the id that the outside world gives them.

    Name, phone and e-mail are kept as they came; an empty one is not known.
    """

    external_id = models.CharField(_("external id"), max_length=255, unique=True)
    name = models.CharField(_("name"), max_length=255, blank=True)
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    email = models.CharField(_("e-mail"), max_length=254, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

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
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(external_id=""), name="lead_external_id_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id
