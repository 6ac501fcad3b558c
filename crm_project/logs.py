"""The log: in production each line is JSON, in development it is for the eye.

In neither stands what people wrote or who they are. So in production an exception is its type and
where it came from, without its text, and a message is its template: of what was put into it only
numbers are shown. What a line is to tell stands in `extra={"fields": {...}}`.
"""

import json
import logging
import re
import traceback
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# Of a recursion without end there are a thousand.
MOST_FRAMES = 30


@dataclass(slots=True)
class Serving:
    """The request that is being served, as far as other log lines are concerned."""

    id: str
    noted: dict[str, Any] = field(default_factory=dict)


# None outside of a request.
serving: ContextVar[Serving | None] = ContextVar("serving", default=None)


def note(**fields: Any) -> None:
    """Add fields to the log line of the request that is being served; outside of one, do nothing.

    Codes, ids and counts: never a text, a name, a phone, an e-mail or an external id.
    """
    if request := serving.get():
        request.noted |= fields


class JsonFormatter(logging.Formatter):
    """A line of JSON for each record, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
        } | fields_of(record)
        if record.exc_info and record.exc_info[1]:
            line["exceptions"] = exceptions_of(record.exc_info[1])
        return json.dumps(line, default=str)


class PlainFormatter(logging.Formatter):
    """A line for people, with its fields behind it and tracebacks as Python prints them."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        fields = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + fields


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    request = serving.get()
    fields = {"request_id": request.id} if request else {}
    return fields | getattr(record, "fields", {})


def message_of(record: logging.LogRecord) -> str:
    """The message without what may be quoted in it."""
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    if record.name == "django.request":  # whose template says nothing by itself
        return "the request failed"
    if not record.args:
        return _unquoted(record.name, record.msg)
    if not isinstance(record.args, tuple):
        return record.msg
    shown = tuple(each if isinstance(each, int | float) else "?" for each in record.args)
    try:
        # What was wrong, but not what was said about it.
        return (record.msg % shown).removesuffix(": ?")
    except (TypeError, ValueError):  # a number was due where no number was given
        return record.msg


def _unquoted(logger: str, message: str) -> str:
    """The message, unless it is one of those that quote a request without arguments."""
    if logger.startswith("django.security."):
        return logger.rpartition(".")[2]
    if logger.startswith("gunicorn"):
        return re.split("[:=]", message)[0]
    return message


def exceptions_of(error: BaseException) -> list[dict[str, Any]]:
    """The exception and those it came from: type, SQLSTATE if there is one, and frames."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause and all(cause is not each for each in chain):
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return [_described(each) for each in chain]


def _described(error: BaseException) -> dict[str, Any]:
    frames = list(traceback.walk_tb(error.__traceback__))[-MOST_FRAMES:]
    described: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
    if sqlstate := getattr(error, "sqlstate", None):
        described["sqlstate"] = sqlstate
    return described | {
        "frames": [
            f"{_short(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"
            for frame, line in frames
        ]
    }


def _short(file: str) -> str:
    return file.removeprefix(f"{ROOT}/").rpartition("site-packages/")[2]


def has_exception(record: logging.LogRecord) -> bool:
    return bool(record.exc_info)


def configuration(*, production: bool, level: str, stream: str) -> dict[str, Any]:
    """`LOGGING` for Django, and for gunicorn, which writes beside it.

    `stream` is stdout or stderr.
    """
    console: dict[str, Any] = {"handlers": ["console"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": JsonFormatter if production else PlainFormatter}},
        "filters": {"has_exception": {"()": lambda: has_exception}},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "stream": f"ext://sys.{stream}",
                "formatter": "line",
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Its own handlers would write the same again, or mail it.
            "django": {"handlers": []},
            # Each answer has a line of ours: what is left is why there was none.
            "django.request": {"level": "ERROR", "filters": ["has_exception"]},
            # By whatever name a stranger asks for us: that it was refused is in the line of ours.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django.server": console | {"level": "ERROR"},
            # Statements with what is in them; each variable that a template does not find.
            "django.db.backends": {"level": "WARNING"},
            "django.template": {"level": "WARNING"},
            # At the level that gunicorn has set.
            "gunicorn.error": console,
            # That the answer to a HEAD had a body, which gunicorn does not send.
            "gunicorn.http.wsgi": {"level": "ERROR"},
        },
    }
