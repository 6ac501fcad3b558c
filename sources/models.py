"""Channels by which leads arrive, and who serves them at what weight."""

import json
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_project.encryption import decrypt, encrypt
from operators.models import Operator

LEAST_WEIGHT, MOST_WEIGHT = 1, 1000
# A week of minutes.
LONGEST_RESPONSE, MOST_HANDOVERS = 10_080, 10

validate_code = RegexValidator(
    r"^[A-Za-z0-9_-]{1,50}\Z",
    _("Use 1 to 50 Latin letters, digits, hyphens and underscores."),
    code="invalid",
)


class Source(models.Model):
    """A channel by which leads reach us: a bot, a messenger account, a form on a page."""

    class Kind(models.TextChoices):
        API = "api", _("API")
        TELEGRAM = "telegram", _("Telegram")
        VK = "vk", _("VK")
        WHATSAPP = "whatsapp", _("WhatsApp")
        WIDGET = "widget", _("widget for a site")
        EMAIL_FORM = "email_form", _("form of a site builder")

    # A person writes there again and again, and means the same matter.
    MESSENGERS = (Kind.TELEGRAM, Kind.VK, Kind.WHATSAPP)

    name = models.CharField(_("title"), max_length=100)
    code = models.CharField(
        _("code"),
        max_length=50,
        unique=True,
        validators=[validate_code],
        help_text=_("Names the source in requests; capital and small letters differ."),
        error_messages={"unique": _("A source with this code exists already.")},
    )
    description = models.TextField(_("description"), max_length=2000, blank=True)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("An inactive source takes no new contacts.")
    )
    auto_assign_waiting = models.BooleanField(
        _("hand out by itself"),
        default=True,
        help_text=_("Waiting contacts go to the first operator who can take them."),
    )
    sticky = models.BooleanField(
        _("sticky"),
        default=False,
        help_text=_("The operator who had the lead's latest contact is taken first."),
    )
    kind = models.CharField(
        _("kind"),
        max_length=20,
        choices=Kind,
        default=Kind.API,
        # Of rows that the version before makes while it still runs.
        db_default=Kind.API,
        help_text=_("How leads arrive; each kind but the API has a page of setting up."),
    )
    reuse_open_contact = models.BooleanField(
        _("one conversation, one contact"),
        default=False,
        db_default=False,
        help_text=_("A further message of a lead is added to the contact that is open."),
    )
    # One of `contacts.distribution.STRATEGIES`: the faces offer no other.
    strategy = models.CharField(_("strategy"), max_length=50, default="weighted_random")
    # None: nobody is hurried.
    response_minutes = models.PositiveSmallIntegerField(
        _("minutes to take a contact"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_RESPONSE)],
        help_text=_(
            "A new contact that is not taken in time goes to somebody else, those that are new"
            " already too. Empty: no limit."
        ),
    )
    response_handovers = models.PositiveSmallIntegerField(
        _("handovers"),
        default=2,
        validators=[MaxValueValidator(MOST_HANDOVERS)],
        help_text=_("So many times at most; then the contact is marked for the team lead."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    operators = models.ManyToManyField(
        Operator, through="Assignment", related_name="sources", verbose_name=_("operators")
    )

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="source_name_not_empty"),
            models.CheckConstraint(condition=~Q(code=""), name="source_code_not_empty"),
            models.CheckConstraint(condition=~Q(strategy=""), name="source_strategy_not_empty"),
            models.CheckConstraint(
                condition=Q(response_minutes__isnull=True)
                | Q(response_minutes__range=(1, LONGEST_RESPONSE)),
                name="source_response_minutes_in_range",
            ),
            models.CheckConstraint(
                condition=Q(response_handovers__range=(0, MOST_HANDOVERS)),
                name="source_response_handovers_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Channel(models.Model):
    """How the outside world speaks to a source; one that is used by the API alone has none."""

    source = models.OneToOneField(
        Source,
        models.CASCADE,
        primary_key=True,
        related_name="channel",
        verbose_name=_("source"),
    )
    # JSON of the secrets by their names, encrypted as a whole; empty: there is none.
    kept_secrets = models.TextField(_("secrets"), blank=True, editable=False)
    # What is no secret, by the names that `sources.channels` gives it.
    options = models.JSONField(_("options"), default=dict, blank=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.source_id)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Secrets that this transaction made, in clear, to be shown this once; kept nowhere.
        self.made: dict[str, str] = {}

    @property
    def secrets(self) -> dict[str, str]:
        """By their names. Raises UnreadableError where SECRET_KEY is another one since."""
        known: dict[str, str] = json.loads(decrypt(self.kept_secrets)) if self.kept_secrets else {}
        return known

    @secrets.setter
    def secrets(self, known: dict[str, str]) -> None:
        self.kept_secrets = encrypt(json.dumps(known)) if known else ""


class Assignment(models.Model):
    """One operator serves one source, with a weight against the others who do."""

    # The unique constraint below is the index by source.
    source = models.ForeignKey(
        Source,
        models.CASCADE,
        related_name="assignments",
        db_index=False,
        verbose_name=_("source"),
    )
    operator = models.ForeignKey(
        Operator, models.CASCADE, related_name="assignments", verbose_name=_("operator")
    )
    weight = models.PositiveIntegerField(
        _("weight"),
        default=1,
        validators=[MinValueValidator(LEAST_WEIGHT), MaxValueValidator(MOST_WEIGHT)],
        help_text=_("The chance of a contact is the weight over the sum of the weights."),
    )

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ["source", "operator"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "operator"],
                name="assignment_once_per_source_and_operator",
                violation_error_message=_("This operator is assigned to this source already."),
            ),
            models.CheckConstraint(
                condition=Q(weight__range=(LEAST_WEIGHT, MOST_WEIGHT)),
                name="assignment_weight_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operator_id} × {self.source_id} ({self.weight})"
