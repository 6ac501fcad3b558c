"""Looks into all log lines of a test for what the test sent and kept: none of it may be there.

Lines are those of our and Django's loggers, at every level and in the format of production, and
whatever the services wrote that a test started.
"""

import http.client
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from django.apps import apps
from django.db.models import Model
from django.db.models.signals import post_init
from django.test import RequestFactory

from crm_project.logs import JsonFormatter
from crm_project.testing import service

# Of bodies, forms and queries.
SECRET_FIELDS = {
    *("message", "lead_name", "lead_phone", "lead_email", "lead_external_id"),
    *("name", "phone", "email", "external_id", "search", "q", "term"),
    *("secret_token", "verify_token", "app_secret", "secret-app_secret"),
    *("password", "password1", "password2", "old_password", "username"),
}
SECRET_HEADERS = {
    *("authorization", "idempotency-key", "cookie"),
    *("x-telegram-bot-api-secret-token", "x-hub-signature-256"),
}
SECRET_COLUMNS = {
    "leads.Lead": ("name", "phone", "email", "external_id"),
    "contacts.Contact": ("message",),
    "contacts.Message": ("text",),
    "operators.Operator": ("name",),
}
# Words that may stand in a line for a reason of their own; a key of letters is longer.
ORDINARY = re.compile(r"[a-z_-]{0,24}|[0-9]{1,8}")
# Differs from line to line and tells nothing, so that the rest need be looked at only once.
PASSING = re.compile(
    r'"?\b(time|request_id|duration_ms|database_ms|bytes)"?[:=] ?"?[\w.:+-]+"?|^[-\d]+ [:,\d]+ '
)
IN_A_FORM = re.compile(r'name="(\w+)"\r\n\r\n(.*?)\r\n--', re.DOTALL)
OURS = ("crm_project", "operators", "sources", "leads", "contacts", "stats", "access")
# The second has a level of its own.
WATCHED = (*OURS, "django", "django.request")


class Lines(logging.Handler):
    """Keeps what production would write."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Watch:
    """The secrets of a test, and the lines written meanwhile."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.handler = Lines()

    def leaks(self) -> list[tuple[str, str]]:
        """Each secret that was written, with the first line that has it."""
        lines = [*self.handler.lines, *_written_by_services()]
        text = "\n".join(dict.fromkeys(PASSING.sub("", line) for line in lines))
        found = []
        for secret in self.secrets:
            for form in {secret, json.dumps(secret)[1:-1], quote(secret, errors="replace")}:
                if (place := text.find(form)) >= 0:
                    begin, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
                    found.append((secret, text[begin : end if end > 0 else None]))
                    break
        return found

    def keep(self, value: Any) -> None:
        """Remember a text, or the texts in a JSON value, if it would be noticed among others."""
        match value:
            case str() if len(value) >= 6 and not ORDINARY.fullmatch(value):
                self.secrets.add(value)
            case list():
                for each in value:
                    self.keep(each)
            case dict():
                self.keep_fields(value)

    def keep_fields(self, fields: Any) -> None:
        """Remember what is secret in a JSON object, at whatever depth."""
        for name, value in fields.items():
            if name in SECRET_FIELDS or isinstance(value, dict | list):
                self.keep(value)

    def keep_request(self, path: str, body: Any, headers: Any) -> None:
        self.keep_fields(dict(parse_qsl(path.partition("?")[2], errors="replace")))
        for name, value in headers.items():
            if str(name).lower().removeprefix("http_").replace("_", "-") in SECRET_HEADERS:
                self.keep(value)
                self.keep(str(value).rpartition(" ")[2])
        text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
        try:
            sent = json.loads(text)
        except (ValueError, RecursionError):
            sent = dict(IN_A_FORM.findall(text) or parse_qsl(text, errors="replace"))
        try:
            self.keep(sent)
        except RecursionError:
            return

    def keep_row(self, sender: type[Model], instance: Any, **kwargs: Any) -> None:
        for name in SECRET_COLUMNS[sender._meta.label]:
            self.keep(instance.__dict__.get(name))


def _written_by_services() -> list[str]:
    texts = []
    for output in service.outputs:
        texts += service.written(output).splitlines()
        output.close()
    service.outputs.clear()
    return texts


@contextmanager
def watching() -> Iterator[Watch]:
    """Take note of everything until the end."""
    watch = Watch()
    generic, request = RequestFactory.generic, http.client.HTTPConnection.request

    def watched_generic(self: Any, method: str, path: str, data: Any = "", *args: Any, **kw: Any):
        watch.keep([each.value for each in self.cookies.values()])
        watch.keep_fields(dict(kw.get("query_params") or {}))
        watch.keep_request(str(path), data, (kw.get("headers") or {}) | kw)
        return generic(self, method, path, data, *args, **kw)

    def watched_request(self: Any, method: str, url: str, *args: Any, **kw: Any):
        body, headers = (*args, kw.get("body"), kw.get("headers"))[:2]
        watch.keep_request(url, body, headers or {})
        return request(self, method, url, *args, **kw)

    loggers = {name: logging.getLogger(name) for name in WATCHED}
    levels = {name: logger.level for name, logger in loggers.items()}
    models = [apps.get_model(label) for label in SECRET_COLUMNS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestFactory, "generic", watched_generic)
        patch.setattr(http.client.HTTPConnection, "request", watched_request)
        for model in models:
            post_init.connect(watch.keep_row, model)
        for name, logger in loggers.items():
            logger.setLevel(logging.DEBUG)
            if "." not in name:
                logger.addHandler(watch.handler)
        try:
            yield watch
        finally:
            for name, logger in loggers.items():
                logger.removeHandler(watch.handler)
                logger.setLevel(levels[name])
            for model in models:
                post_init.disconnect(watch.keep_row, model)
