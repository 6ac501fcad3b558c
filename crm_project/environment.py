"""Strict readers of the environment: a value they do not know stops the start and says why."""

import difflib
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import environ
import phonenumbers
from django.core.exceptions import ImproperlyConfigured

PREFIX = "CRM_"
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
SCHEMES = {"sqlite", "postgres", "postgresql"}


class Environment:
    """The environment variables of one project, each read once.

    An unset variable and an empty one mean the default.
    """

    def __init__(self, dotenv: Path | str) -> None:
        """Take in the file first; what the environment has goes before it.

        One that CRM_DOTENV names must be there.
        """
        if os.environ.get("CRM_DOTENV") and not os.path.exists(dotenv):
            raise ImproperlyConfigured(f"CRM_DOTENV names {dotenv}, which is not there.")
        if os.path.isfile(dotenv):
            try:
                environ.Env.read_env(dotenv)
            except (OSError, UnicodeDecodeError) as error:
                raise ImproperlyConfigured(f"{dotenv} cannot be read: {error}.") from error
        self.known = {"CRM_DOTENV"}

    def text(self, name: str, default: str = "") -> str:
        self.known.add(name)
        return os.environ.get(name, "").strip() or default

    def boolean(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
        return value in TRUE

    def integer(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ImproperlyConfigured(
                f"{name} must be a whole number from {least} to {most}, not {value!r}."
            )
        return int(value)

    def one_of(self, name: str, values: Sequence[str], default: str) -> str:
        value = self.text(name, default)
        if value not in values:
            raise ImproperlyConfigured(f"{name} must be {' or '.join(values)}, not {value!r}.")
        return value

    def some_of(self, name: str, values: Sequence[str]) -> list[str]:
        """None, some or all of these, between commas."""
        words = self.words(name)
        for each in words:
            if each not in values:
                raise ImproperlyConfigured(f"{name} may have {' and '.join(values)}, not {each!r}.")
        return words

    def words(self, name: str, default: str = "") -> list[str]:
        """Values between commas."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def networks(self, name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Networks such as 10.0.0.0/8, between commas; an address alone is one, too."""
        found = []
        for word in self.words(name):
            try:
                found.append(ipaddress.ip_network(word))
            except ValueError as error:
                raise ImproperlyConfigured(
                    f"{name} must list networks such as 10.0.0.0/8, not {word!r}."
                ) from error
        return found

    def time_zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if value not in available_timezones():
            raise ImproperlyConfigured(
                f"{name} must be a time zone such as Europe/Moscow, not {value!r}."
            )
        return value

    def phone_region(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if value not in phonenumbers.SUPPORTED_REGIONS:
            raise ImproperlyConfigured(
                f"{name} must be a country such as RU or KZ, in two capital letters, not {value!r}."
            )
        return value

    def database(self, name: str, default: Path) -> dict[str, Any]:
        """Settings for the database of a URL; a relative SQLite path is beside `default`."""
        url = self.text(name)
        if not url:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
        problem = (
            f"{name} must look like postgresql://user:password@host:5432/name or sqlite:///file"
        )
        if url.partition("://")[0] not in SCHEMES:
            raise ImproperlyConfigured(f"{problem}; only these two databases are supported.")
        try:
            config = dict(environ.Env.db_url_config(url))
        except Exception as error:  # the parser raises whatever the malformed URL provokes
            raise ImproperlyConfigured(f"{problem}.") from error
        if not config.get("NAME"):
            raise ImproperlyConfigured(f"{problem}; the name of the database is missing.")
        if config["ENGINE"].endswith("sqlite3") and config["NAME"] != ":memory:":
            config["NAME"] = str(default.parent / config["NAME"])
        return config

    def email(self, name: str) -> dict[str, Any]:
        """Django's settings for sending by the server of a URL; unset, e-mails go nowhere."""
        url = self.text(name)
        if not url:
            return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
        problem = f"{name} must look like smtp+tls://user:password@smtp.example.com:587"
        try:
            config = dict(environ.Env.email_url_config(url))
        except Exception as error:  # this parser, too, raises whatever the URL provokes
            raise ImproperlyConfigured(f"{problem}.") from error
        by_smtp = config["EMAIL_BACKEND"].endswith("smtp.EmailBackend")
        if not by_smtp or not config.get("EMAIL_HOST"):
            raise ImproperlyConfigured(f"{problem}, or smtp+ssl://, or smtp://.")
        return {key: value for key, value in config.items() if key.startswith("EMAIL_")}

    def url(self, name: str, default: str = "") -> str:
        """An address of http or https, without a slash at its end."""
        value = self.text(name, default).rstrip("/")
        if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            raise ImproperlyConfigured(
                f"{name} must be an address such as https://crm.example.com, not {value!r}."
            )
        return value

    def refuse_unknown(self) -> None:
        """Raise for a variable with our prefix that nobody reads: most likely a slip of the pen."""
        for name in sorted(os.environ):
            if name.startswith(PREFIX) and name not in self.known:
                close = difflib.get_close_matches(name, self.known, n=1)
                hint = f" Did you mean {close[0]}?" if close else ""
                raise ImproperlyConfigured(f"{name} is not a setting of this service.{hint}")
