"""Forms as programs send them: which fields were filled in with what, whatever they came in."""

import json
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from sources.channels.protocol import Refused, Request
from sources.channels.reading import LONGEST_NAME, json_object, line, octets, placeholder, text

MOST_FIELDS = 1000


class Form:
    """Fields by name, in whatever letters; those given twice are joined, those empty left out.

    A field within another, `{"client": {"phone": …}}`, is `client.phone`, and is found by `phone`.
    """

    def __init__(self, fields: Iterator[tuple[str, str]]) -> None:
        # By the name in small letters: the name as it came, and the value.
        self.left: dict[str, tuple[str, str]] = {}
        for name, value in fields:
            label, given = line(name, LONGEST_NAME), text(value).strip()
            if given:
                known, former = self.left.get(label.casefold(), (label, ""))
                self.left[label.casefold()] = known, f"{former}, {given}" if former else given

    def get(self, name: str) -> str:
        """Empty where there is none."""
        return self.left.get(name, ("", ""))[1]

    def take(self, *names: str) -> str:
        """Take the first that is there out; empty where none is."""
        for name in names:
            folded = name.casefold()
            inner = (key for key in self.left if key.rpartition(".")[2] == folded)
            found = folded if folded in self.left else next(inner, None)
            if found is not None:
                return self.left.pop(found)[1]
        return ""

    @property
    def is_test(self) -> bool:
        """Is it Tilda's, which tries an address that is entered there?"""
        return self.left.keys() == {"test"} and self.get("test") == "test"


def read_form(request: Request) -> Form:
    """Raises Refused where it is none."""
    if request.method == "GET":
        return Form(iter(request.query.items()))
    if request.content_type == "multipart/form-data":
        return Form(_multipart(request))
    # Some send JSON under any name, and a form never begins so.
    if request.content_type == "application/json" or request.body.lstrip()[:1] == b"{":
        return Form(_flat(json_object(request.body)))
    return Form(_urlencoded(request.body))


def _urlencoded(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        yield from parse_qsl(body.decode(), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Refused(400, f"no form: {type(error).__name__}") from None


def _flat(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            for inner, inner_value in value.items():
                yield f"{name}.{inner}", _told(inner_value)
        else:
            yield name, _told(value)


def _told(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(str(item) for item in value)
    try:
        return json.dumps(value, ensure_ascii=False)
    # It could be read at this depth, which does not say that it can be written.
    except RecursionError:
        return "…"


def _multipart(request: Request) -> Iterator[tuple[str, str]]:
    """By the standard library's reader of mail, which has the same form."""
    head = b"Content-Type: " + octets(request.headers["content-type"]) + b"\r\n\r\n"
    try:
        yield from _parts(message_from_bytes(head + request.body))
    # What it says of heads that are none, and of forms within forms.
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise Refused(400, f"no form: {type(error).__name__}") from None


def _parts(form: Message) -> Iterator[tuple[str, str]]:
    parts = form.get_payload()
    if not isinstance(parts, list) or len(parts) > MOST_FIELDS:
        raise Refused(400, "no form: its parts cannot be told apart")
    for part in parts:
        if not isinstance(part, Message):
            continue
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            file = part.get_filename()
            yield name, placeholder("файл", file) if file else content.decode(errors="replace")
