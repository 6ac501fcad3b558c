"""What the settings of a channel may be: secrets that are pasted here, and options."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

LEAST_SECRET, LONGEST_SECRET = 8, 256
# https://dev.vk.com/method/groups.addCallbackServer
LONGEST_OF_VK = 50
# https://core.telegram.org/bots/api#setwebhook; and what stands in an address.
URL_SAFE = ("secret_token", "token")
LONGEST_TEXT, LONGEST_TITLE, MOST_ORIGINS = 1000, 100, 20
# Ours of a form that has its own names for them.
FORM_FIELDS = ("name", "phone", "email", "message", "event_id")


def clean_secret(name: str, value: Any) -> str:
    """The same, if it may be that secret; raises a ValueError for people."""
    most = LONGEST_OF_VK if name == "secret" else LONGEST_SECRET
    characters = "[A-Za-z0-9_-]" if name in URL_SAFE else "[!-~]"
    if isinstance(value, str) and re.fullmatch(f"{characters}{{{LEAST_SECRET},{most}}}", value):
        return value
    if name in URL_SAFE:
        told = _("Give %(least)d to %(most)d Latin letters, digits, hyphens and underscores.")
    else:
        told = _("Give %(least)d to %(most)d Latin letters, digits and signs, without blanks.")
    raise ValueError(told % {"least": LEAST_SECRET, "most": most})


def clean_option(name: str, value: Any) -> Any:
    """As it is to be kept; raises a ValueError for people."""
    return OPTIONS[name](value)


def _text(most: int) -> Callable[[Any], str]:
    def clean(value: Any) -> str:
        # Neither can be kept by every database.
        if not isinstance(value, str) or re.search(r"[\0\ud800-\udfff]", value):
            raise ValueError(_("Give a text."))
        if len(value) > most:
            raise ValueError(_("Give %(most)d characters at most.") % {"most": most})
        return value.strip()

    return clean


def _address(value: Any) -> str:
    text = _text(LONGEST_TEXT)(value)
    if not _is_web(text):
        raise ValueError(_("Give an address that begins with https:// or http://."))
    return text


def _origins(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(_("Give a list of addresses of sites."))
    if len(value) > MOST_ORIGINS:
        raise ValueError(_("Give %(most)d sites at most.") % {"most": MOST_ORIGINS})
    return list(dict.fromkeys(_origin(each) for each in value))


def _origin(value: Any) -> str:
    """As browsers send it: small letters, no port that is the usual one, no path."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if not _is_web(text) or urlsplit(text)._replace(scheme="", netloc="").geturl() not in ("", "/"):
        raise ValueError(_("Give addresses such as https://example.org, without a path."))
    parts = urlsplit(text)
    host = (parts.hostname or "").encode("idna").decode()
    usual = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _is_web(text: str) -> bool:
    try:
        parts = urlsplit(text)
        well = parts.hostname and parts.port != 0 and "@" not in parts.netloc
        (parts.hostname or "").encode("idna")
    except ValueError:
        return False
    return (
        bool(well) and parts.scheme in ("https", "http") and not re.search(r"[\s\0-\x1f*\\]", text)
    )


def _fields(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not set(value) <= set(FORM_FIELDS):
        raise ValueError(
            _("Give names of the form's fields for these: %(names)s.")
            % {"names": ", ".join(FORM_FIELDS)}
        )
    clean = {name: _text(LONGEST_TITLE)(each) for name, each in value.items() if each is not None}
    return {name: each for name, each in clean.items() if each}


OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "reply_text": _text(LONGEST_TEXT),
    "confirmation": _text(LONGEST_TITLE),
    "fields": _fields,
    "allowed_origins": _origins,
    "privacy_url": _address,
    "title": _text(LONGEST_TITLE),
}
