"""Forms of the back office."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _


class FreshForm(forms.ModelForm):
    """Refuses to overwrite what somebody changed after the form was shown.

    For fields with `show_hidden_initial`, inside a transaction: the row is locked until its end.
    """

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        rows = self._meta.model._default_manager.select_for_update(no_key=True)
        stored = rows.filter(pk=self.instance.pk).values(*self.changed_data).first() or {}
        for name in self.changed_data:
            if self._shown(name) != self.fields[name].to_python(stored.get(name)):
                self._refuse(name, stored.get(name))
        return cleaned

    def _shown(self, name: str) -> Any:
        field = self.fields[name]
        widget, key = field.hidden_widget(), self[name].html_initial_name
        return field.to_python(widget.value_from_datadict(self.data, self.files, key))

    def _refuse(self, name: str, stored: Any) -> None:
        """Tell what is stored, and know that it was told when the form comes again."""
        message = _("Somebody has just changed this to “%(value)s”. Save again to overwrite that.")
        self.add_error(name, message % {"value": stored})
        self.data = self.data.copy()
        self.data[self[name].html_initial_name] = stored
