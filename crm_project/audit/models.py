"""Who did what, and when."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Change(models.Model):
    """One change of one object. Never changed itself, and it outlives the object.

    Who gets a contact is not kept here but in its decisions (`contacts.models.DecisionRecord`).
    """

    class Action(models.TextChoices):
        CREATE = "create", _("creation")
        CHANGE = "change", _("change")
        DELETE = "delete", _("deletion")

    # The model's name, e.g. "operator".
    subject_type = models.CharField(_("kind of object"), max_length=50)
    subject_id = models.BigIntegerField(_("object"))
    subject_name = models.CharField(_("object's name"), max_length=255)
    action = models.CharField(_("action"), max_length=10, choices=Action)
    # {field: [before, after]}; None on the side where there was nothing.
    fields = models.JSONField(_("fields"), default=dict, encoder=DjangoJSONEncoder)
    # Whose weight it is, for instance; empty where the fields are the object's own.
    about = models.CharField(_("about"), max_length=255, blank=True)
    actor_type = models.CharField(_("who asked"), max_length=20)
    actor_name = models.CharField(_("name"), max_length=150, blank=True)
    created_at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["-pk"]
        indexes = [
            # Serves the history of an object, newest first.
            models.Index(fields=["subject_type", "subject_id", "id"], name="change_by_subject"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["create", "change", "delete"]),
                name="change_action_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_type} {self.subject_id}"
