"""What an error of the database, or of the line to the client, means to whoever asked."""

import logging
import sqlite3
from typing import Any

from django.db import Error, InterfaceError, OperationalError, connection
from django.http import UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException

from crm_project.errors import Busy, DatabaseUnavailable, RequestTimeout

logger = logging.getLogger(__name__)

# PostgreSQL's codes for work that somebody else's was in the way of: a time-out of a lock or of a
# statement, a deadlock, a serialization failure, too many connections.
BUSY_STATES = {"55P03", "57014", "40P01", "40001", "53300"}
# Those it has no OperationalError for: read-only after a fail-over; a table or a column that is not
# there, as before the migrations.
UNAVAILABLE_STATES = {"25006", "42P01", "42703"}
BUSY_ON_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
MISSING_ON_SQLITE = ("no such table", "no such column")


def fault_of(error: BaseException | None) -> APIException | None:
    """The error that the client is told of; None: it is a fault of the program."""
    match error:
        case UnreadablePostError():
            return RequestTimeout()
        case Error(__cause__=sqlite3.Error() as cause):
            return _on_sqlite(cause)
        case Error():
            return _on_postgresql(error, getattr(error.__cause__, "sqlstate", None))
    return None


def log_fault(error: BaseException, response: HttpResponseBase) -> None:
    """In one line, instead of Django's with a traceback: while the database is away, every request
    has one to tell.
    """
    cause = error.__cause__ or error
    fields = {"error": type(cause).__name__, "sqlstate": getattr(cause, "sqlstate", None)}
    said = " ".join(str(error).split())
    logger.warning("A request could not be served: %s", said, extra={"fields": fields})
    response._has_been_logged = True  # type: ignore[attr-defined]  # how Django marks it


def _on_postgresql(error: Error, state: Any) -> APIException | None:
    if state in BUSY_STATES:
        return Busy()
    lost = isinstance(error, OperationalError | InterfaceError)
    return DatabaseUnavailable() if lost or state in UNAVAILABLE_STATES else None


def _on_sqlite(cause: sqlite3.Error) -> APIException | None:
    name = getattr(cause, "sqlite_errorname", "")
    if name.startswith(BUSY_ON_SQLITE):
        return Busy()
    if name == "SQLITE_ERROR" and not str(cause).startswith(MISSING_ON_SQLITE):
        return None
    # A file that is read-only, full, gone or broken.
    lost = type(cause) in (sqlite3.OperationalError, sqlite3.DatabaseError)
    return DatabaseUnavailable() if lost else None


def database_trouble(error: Exception) -> str:
    """One line: what the database said, and where to look."""
    said = str(error).strip().partition("\n")[0]
    config = connection.settings_dict
    where = (
        config["NAME"] if connection.vendor == "sqlite" else f"{config['HOST']}:{config['PORT']}"
    )
    if isinstance(fault_of(error), Busy):
        return f"The database ({where}) is busy: {said} Nothing is half done; run it again."
    return f"The database ({where}) cannot be used: {said} Check DATABASE_URL."
