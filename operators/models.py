"""People who answer contacts."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LEAST_LIMIT, MOST_LIMIT = 1, 10_000


class Operator(models.Model):
    """A person who answers contacts, a limited number of them at a time.

    The load is not a field: it is counted from the open contacts (`contacts.selectors`).
    """

    name = models.CharField(_("name"), max_length=100)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Only active operators get new contacts.")
    )
    max_active_contacts = models.PositiveIntegerField(
        _("limit"),
        default=10,
        validators=[MinValueValidator(LEAST_LIMIT), MaxValueValidator(MOST_LIMIT)],
        help_text=_("The most open contacts at a time."),
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        related_name="operator",
        null=True,
        blank=True,
        verbose_name=_("user"),
        help_text=_("Whoever signs in as this user works as this operator."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("operator")
        verbose_name_plural = _("operators")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="operator_name_not_empty"),
            models.CheckConstraint(
                condition=Q(max_active_contacts__range=(LEAST_LIMIT, MOST_LIMIT)),
                name="operator_limit_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name
