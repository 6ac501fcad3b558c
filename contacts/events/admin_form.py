"""The form of a webhook in the back office."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from contacts.events.models import Event
from contacts.events.services import problems
from crm_project.careful_admin import CarefulForm


class WebhookForm(CarefulForm):
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=Event.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.keys() >= {"url", "events", "source"}:
            wrong = problems(cleaned["url"], cleaned["events"], cleaned["source"])
            for field, (text, code) in wrong.items():
                self.add_error(field, forms.ValidationError(text, code=code))
        return cleaned

    def _refuse_if_stale(self, name: str) -> None:
        """Checkboxes do not tell what they showed: of them the service looks."""
        if name != "events":
            super()._refuse_if_stale(name)
