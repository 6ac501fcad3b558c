"""Django's SQLite, with a queue of writers that waits as long as it moves.

SQLite lets whoever asks at the right moment have the lock: with many at once, one may wait longer
than many others together. That is no reason to give up. One that holds it and does nothing is.
"""

import os
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from crm_project.errors import Busy
from crm_project.faults import fault_of
from crm_project.sqlite3.schema import DatabaseSchemaEditor

# In all, for a queue that moves; `timeout` in OPTIONS is for one that does not.
MOST_SECONDS = 20.0
# How often who waits for another thread looks whether the queue moves, and who waits for another
# process whether the lock is free.
TURN_SECONDS, LOOK_MILLISECONDS = 0.25, 2
# Of the threads of this process that want to write into the file of this name. SQLite lets them
# look only now and then whether they can, and with many who do, the lock rests meanwhile.
TURNS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
# Which file this process has opened under a name. The log beside it goes by that name too: what is
# opened in its place would be given the log of the first, and take it away when it is closed.
OPENED: dict[str, tuple[int, int]] = {}


class Queue:
    """Of those who want to write. `written` differs when one of them has."""

    def __init__(self, written: Callable[[], int | None], *, seconds: float) -> None:
        self.written, self.seconds = written, seconds
        self.since = time.monotonic()
        self.until = self.since + MOST_SECONDS
        self.before = written()

    def stay(self, error: OperationalError) -> None:
        """Raises the error where nobody has written for so many seconds, or MOST have passed."""
        now, written = time.monotonic(), self.written()
        if written != self.before:
            self.before, self.since = written, now
        if now - self.since > self.seconds or now > self.until:
            raise error


def _locked() -> OperationalError:
    cause = _as_of_sqlite("database is locked", "SQLITE_BUSY")
    error = OperationalError(*cause.args)
    error.__cause__ = cause
    return error


def _as_of_sqlite(text: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


class DatabaseWrapper(base.DatabaseWrapper):
    SchemaEditorClass = DatabaseSchemaEditor
    _opened: tuple[int, int] | None = None
    _has_turn = False

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """Django's; one that cannot be used is closed, and its file with it. Django leaves that to
        whenever Python happens to look for what nobody needs.

        Raises OperationalError where another file has taken the place of the one opened before.
        """
        self._refuse_another_file()
        opened: list[sqlite3.Connection] = []

        def connect(*args: Any, **options: Any) -> sqlite3.Connection:
            opened.append(sqlite3.Connection(*args, **options))
            return opened[0]

        try:
            connection = super().get_new_connection(conn_params | {"factory": connect})
            self._opened = self._file
            if self._opened:
                OPENED.setdefault(self._path, self._opened)
            return connection
        except sqlite3.Error:
            for connection in opened:
                connection.close()
            raise

    def _refuse_another_file(self) -> None:
        found = self._file
        if found and OPENED.get(self._path, found) != found:
            raise _as_of_sqlite(
                "the file was exchanged for another one while it was in use: put the first one"
                " back, or start the service anew.",
                "SQLITE_READONLY_DBMOVED",
            )

    def is_usable(self) -> bool:
        """Is its file still the one that is there?"""
        return self._file == self._opened

    def empty_log(self) -> bool:
        """Leave nothing of what has been written in the log; False: somebody reads there."""
        with self.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return not cursor.fetchone()[0]

    def _start_transaction_under_autocommit(self) -> None:
        queue = Queue(self._written, seconds=self._patience)
        while not TURNS[self._path].acquire(timeout=TURN_SECONDS):
            queue.stay(_locked())
        self._has_turn = True
        try:
            self._begin(queue)
        except BaseException:
            self._pass_turn()
            raise

    def _begin(self, queue: Queue) -> None:
        begin = super()._start_transaction_under_autocommit  # type: ignore[misc]  # the stubs lack it
        with self._looking_often():
            while True:
                try:
                    begin()
                    return
                except OperationalError as error:
                    if not isinstance(fault_of(error), Busy):
                        raise
                    queue.stay(error)

    @contextmanager
    def _looking_often(self) -> Iterator[None]:
        """SQLite itself looks ever less often, in the end ten times a second."""
        self.connection.execute(f"PRAGMA busy_timeout={LOOK_MILLISECONDS}")
        try:
            yield
        finally:
            self.connection.execute(f"PRAGMA busy_timeout={int(self._patience * 1000)}")

    def _pass_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            TURNS[self._path].release()

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # the stubs lack it
        self._pass_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # likewise
        finally:
            self._pass_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # likewise
        finally:
            self._pass_turn()

    @property
    def _patience(self) -> float:
        """In seconds; by default that of Python's sqlite3."""
        return float(self.settings_dict["OPTIONS"].get("timeout", 5))

    @property
    def _path(self) -> str:
        return unquote(str(self.settings_dict["NAME"]).removeprefix("file:").partition("?")[0])

    @property
    def _file(self) -> tuple[int, int] | None:
        """Which one is there; None: none, as of a database in memory."""
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _written(self) -> int | None:
        """Differs when somebody has committed meanwhile; None: there is no log that tells."""
        try:
            return os.stat(f"{self._path}-wal").st_mtime_ns
        except OSError:
            return None
