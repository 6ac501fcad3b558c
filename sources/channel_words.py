"""Settings of channels as people call them."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sources.channel_settings import state_of
from sources.models import Source

LABELS = {
    "secret_token": gettext_lazy("secret of the webhook"),
    "secret": gettext_lazy("secret key"),
    "verify_token": gettext_lazy("verify token"),
    "app_secret": gettext_lazy("app secret"),
    "token": gettext_lazy("token of the address"),
    "reply_text": gettext_lazy("answer in the chat"),
    "confirmation": gettext_lazy("string to be returned"),
    "fields": gettext_lazy("fields of the form"),
    "allowed_origins": gettext_lazy("sites"),
    "privacy_url": gettext_lazy("privacy policy"),
    "title": gettext_lazy("heading"),
}
# Ours of a form.
FIELDS = {
    "name": gettext_lazy("name"),
    "phone": gettext_lazy("phone"),
    "email": gettext_lazy("e-mail"),
    "message": gettext_lazy("message"),
    "event_id": gettext_lazy("number of the request"),
}
# What the history tells of secrets.
TOLD = {"set": gettext_lazy("is set"), "changed": gettext_lazy("another one")}
# Names of the symbols of the admin's theme.
SYMBOLS = {
    "api": "code",
    "telegram": "send",
    "vk": "forum",
    "whatsapp": "chat",
    "widget": "web",
    "email_form": "list_alt",
}


def label(name: str) -> str:
    """Of a secret or an option."""
    return str(LABELS[name])


def in_words(name: str, value: object) -> str:
    """What the history keeps of a secret or an option."""
    match value:
        case None:
            return "—"
        case list():
            return ", ".join(value)
        case dict():
            return ", ".join(f"{FIELDS[key]} = {text}" for key, text in value.items())
    return str(TOLD.get(str(value), value))


def missing_in_words(source: Source) -> str:
    """What keeps its channel from working; empty: nothing, or it has none."""
    state = state_of(source)
    if state is None or not state.missing:
        return ""
    if not state.is_readable:
        return _("Its secrets were kept under another SECRET_KEY and cannot be read.")
    return _("Not set: %(names)s.") % {"names": ", ".join(map(label, state.missing))}
