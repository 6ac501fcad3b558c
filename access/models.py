"""Keys with which programs use the API."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sources.models import Source


class ApiKey(models.Model):
    """A program that may use the API, known by a key of which only the digest is kept.

    Never changed, save that it is revoked, once and for all: the history tells it by its name.
    """

    class Scope(models.TextChoices):
        READ = "read", _("reading")
        INTAKE = "intake", _("intake of contacts")
        MANAGE = "manage", _("everything")

    class State(models.TextChoices):
        VALID = "valid", _("valid")
        EXPIRED = "expired", _("expired")
        REVOKED = "revoked", _("revoked")

    name = models.CharField(
        _("title"),
        max_length=100,
        help_text=_("Who uses it, e.g. “Telegram bot”. The history tells it by this name."),
    )
    # The part of the key by which people recognise it.
    prefix = models.CharField(_("beginning of the key"), max_length=20, unique=True, editable=False)
    # SHA-256 of the whole key, in hex. Nobody guesses 256 random bits, so it need not be slow.
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    scope = models.CharField(
        _("rights"),
        max_length=10,
        choices=Scope,
        default=Scope.READ,
    )
    sources = models.ManyToManyField(
        Source,
        related_name="api_keys",
        blank=True,
        verbose_name=_("sources"),
        help_text=_("For the intake: where it may create contacts."),
    )
    # None: never.
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    # To the minute: it is not written more often.
    last_used_at = models.DateTimeField(_("last use"), null=True, editable=False)
    created_by = models.CharField(_("created by"), max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(revoked_at__isnull=True),
                name="api_key_name_once_unless_revoked",
                violation_error_message=_("There is a key with this title already."),
            ),
            models.CheckConstraint(condition=~Q(name=""), name="api_key_name_not_empty"),
            models.CheckConstraint(
                condition=Q(scope__in=["read", "intake", "manage"]), name="api_key_scope_is_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="api_key_expires_after_creation",
                violation_error_message=_("It would have expired already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def state(self, now: datetime) -> State:
        """Can it be used at this moment?"""
        if self.revoked_at:
            return self.State.REVOKED
        expired = self.expires_at is not None and self.expires_at <= now
        return self.State.EXPIRED if expired else self.State.VALID
