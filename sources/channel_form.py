"""The form of a source in the back office, with the settings of its channel."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm_project.careful_admin import CarefulForm
from sources.channel_settings import Given, checked, state_of
from sources.channel_values import FORM_FIELDS, LONGEST_TEXT
from sources.channel_words import FIELDS, label
from sources.channels.registry import PROTOCOLS
from sources.models import Source

LONG = ("reply_text", "allowed_origins")


class LinesField(forms.CharField):
    """A text whose lines end alike, whatever browser it comes from."""

    def to_python(self, value: Any) -> str:
        return super().to_python(value).replace("\r\n", "\n")


class SourceForm(CarefulForm):
    """Of one source. The fields of its channel are named after what they set: `renew-` and
    `secret-` for secrets, `option-` for options, `field-` for the names that a form uses.
    """

    of_channel: Mapping[str, forms.Field] = {}
    kind_shown = ""

    def changes(self) -> dict[str, Any]:
        own = {name: value for name, value in super().changes().items() if self._is_own(name)}
        given = self.given()
        return own | ({"channel": given} if any(given.values()) else {})

    def expected(self) -> dict[str, Any]:
        return {name: value for name, value in super().expected().items() if self._is_own(name)}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        try:
            checked(self.kind_shown, self.given())
        except ValidationError as error:
            for part, wrong in error.detail["channel"].items():
                for name, texts in wrong.items():
                    self.add_error(self._field_of(part, name), list(texts))
        return cleaned

    def given(self) -> Given:
        """What of the channel was changed; nothing where its kind was too."""
        if self.cleaned_data.get("kind") != self.kind_shown:
            return {}
        secrets: dict[str, str | None] = {}
        options: dict[str, Any] = {}
        for changed in filter(self.of_channel.__contains__, self.changed_data):
            part, _dash, name = changed.partition("-")
            value = self.cleaned_data.get(changed)
            match part:
                case "renew":
                    secrets[name] = None
                case "secret":
                    secrets[name] = value
                case "field":
                    options["fields"] = {
                        each: self.cleaned_data.get(f"field-{each}") or None for each in FORM_FIELDS
                    }
                case _:
                    options[name] = value.split() if name == "allowed_origins" else value
        return {"secrets": secrets, "options": options}

    def _is_own(self, name: str) -> bool:
        return name not in self.of_channel

    def _field_of(self, part: str, name: str) -> str:
        if name == "fields":
            return f"field-{FORM_FIELDS[0]}"
        return f"option-{name}" if part == "options" else f"secret-{name}"


def form_of(source: Source) -> type[SourceForm]:
    """With the fields of the channel that the source has."""
    fields = _fields_of(source)
    return type(
        "FormOfSource",
        (SourceForm,),
        fields | {"of_channel": fields, "kind_shown": source.kind},
    )


def _fields_of(source: Source) -> dict[str, forms.Field]:
    state, protocol = state_of(source), PROTOCOLS.get(source.kind)
    if state is None or protocol is None:
        return {}
    fields: dict[str, forms.Field] = {}
    for secret in protocol.secrets:
        shown = state.secrets[secret.name]
        if secret.generated:
            fields[f"renew-{secret.name}"] = _switch(secret.name)
        else:
            fields[f"secret-{secret.name}"] = _pasted(secret.name, shown)
    for name in protocol.options:
        if name == "fields":
            named = state.options[name] or {}
            fields |= {f"field-{each}": _field(each, named.get(each, "")) for each in FORM_FIELDS}
        else:
            fields[f"option-{name}"] = _option(name, state.options[name])
    return fields


def _switch(name: str) -> forms.Field:
    return forms.BooleanField(
        label=_("New secret: %(name)s") % {"name": label(name)},
        help_text=_("What uses the present one is refused as soon as this is saved."),
        widget=UnfoldBooleanSwitchWidget,
        required=False,
    )


def _pasted(name: str, shown: str) -> forms.Field:
    return forms.CharField(
        label=capfirst(label(name)),
        help_text=_("Now: %(secret)s. Empty: it stays.") % {"secret": shown} if shown else "",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        required=False,
    )


def _option(name: str, value: Any) -> forms.Field:
    return LinesField(
        label=capfirst(label(name)),
        help_text=_help(name),
        initial="\n".join(value) if isinstance(value, list) else value or "",
        widget=UnfoldAdminTextareaWidget({"rows": 4})
        if name in LONG
        else UnfoldAdminTextInputWidget,
        max_length=LONGEST_TEXT if name != "allowed_origins" else None,
        required=False,
        show_hidden_initial=True,
    )


def _field(name: str, value: str) -> forms.Field:
    return forms.CharField(
        label=_("Field of the form: %(name)s") % {"name": FIELDS[name]},
        help_text=_("Its name in the form. Empty: the usual names are tried."),
        initial=value,
        widget=UnfoldAdminTextInputWidget,
        required=False,
        show_hidden_initial=True,
    )


def _help(name: str) -> str:
    return {
        "reply_text": _("What the bot answers to each first message; empty: nothing."),
        "confirmation": _("The one that VK shows beside the address of the server."),
        "allowed_origins": _("One a line, such as https://example.org: whose pages have the form."),
        "privacy_url": _("The address of its page; empty: the form names none."),
        "title": _("Above the form; empty: an ordinary one."),
    }[name]
