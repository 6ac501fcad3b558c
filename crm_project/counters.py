"""Counts of events within a time, shared by all processes and threads of one machine.

They lie in a SQLite file of their own: what they protect may itself be down, and they must cost
less than what they keep away. Where the file cannot be used everything passes, and the log says so.
See docs/decisions/0011-counting-requests.md.
"""

import hmac
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import NamedTuple, TypeVar

from django.conf import settings

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

# Seconds after which a row is of no use; longer than any limit lasts.
KEPT, PRUNE_EVERY = 3600, 300
# Seconds to wait for another process, and to leave the file alone after it failed.
PATIENCE, REST = 3, 5
NOT_OURS = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
TABLE = (
    "CREATE TABLE IF NOT EXISTS counts (name BLOB PRIMARY KEY, ends REAL NOT NULL,"
    " n INTEGER NOT NULL, before INTEGER NOT NULL, passed INTEGER NOT NULL) WITHOUT ROWID"
)
# What is kept of a name: when its time ends, events in it and in the time before, and whether the
# last one passed. All in one statement, since a thread that waits for Python's lock between two of
# them would hold the file all that time.
# A time that ends too late was set by a clock that has been put back; one that ends a little too
# late, by who asked the clock after us and came to write before us.
COUNT = """
    WITH kept AS (
        SELECT ends, n, before FROM counts
        WHERE name = :name AND ends BETWEEN :now - :carry AND :now + 2 * :seconds
    ), moved_on AS (
        SELECT ends, n, before FROM kept WHERE ends > :now
        UNION ALL SELECT ends + :seconds, 0, n FROM kept WHERE ends <= :now
        UNION ALL SELECT :now + :seconds, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM kept)
    ), judged AS (
        SELECT *, n + before * (ends - :now) / :seconds < :events AS passed FROM moved_on
    )
    INSERT OR REPLACE INTO counts SELECT :name, ends, n + passed, before, passed FROM judged
    RETURNING ends, n, before, passed
"""


class Limit(NamedTuple):
    """So many events in so many seconds, counted from the first one.

    A sliding one lets the time before weigh on, less and less, so that nobody gets twice as many
    around its end; one that does not slide begins anew.
    """

    events: int
    seconds: int
    slides: bool = True


class Standing(NamedTuple):
    """How a name stands after an event. Seconds are from now.

    `wait`: until the next one may pass, 0 if it did; `reset`: until the time it is counted in ends.
    """

    remaining: int
    reset: float
    wait: float = 0


class Counters:
    """All counts of one file. Names are kept as keyed hashes: nobody can read them there."""

    def __init__(self, file: Path, secret: str) -> None:
        self._path = file
        self._secret = secret.encode()
        # Of a process that forked us too: neither its lock nor its connection may be used here.
        self._files: dict[int, _File] = {}

    def count(self, limits: Mapping[str, Limit]) -> dict[str, Standing] | None:
        """Count one event under each of these names, or under none if one of them is at its limit;
        then that is the last one in the answer.

        None: it cannot be counted just now.
        """
        standings = {}
        for name, limit in limits.items():
            standing = self._count(name, limit)
            if standing is None:
                return None
            standings[name] = standing
            if standing.wait:
                self.take_back(standings.keys() - {name})
                break
        return standings

    def take_back(self, names: Collection[str]) -> None:
        """The last event counted under each of these names was none."""
        rows = [(self._key(name),) for name in names]
        less = "UPDATE counts SET n = n - 1 WHERE name = ? AND n > 0"
        self._file().use(lambda database: database.executemany(less, rows))

    def forget(self, name: str) -> None:
        """Count anew under this name."""
        row = (self._key(name),)
        gone = "DELETE FROM counts WHERE name = ?"
        self._file().use(lambda database: database.execute(gone, row))

    def _file(self) -> "_File":
        # One step, so that the threads of a new process come to one and the same.
        return self._files.setdefault(os.getpid(), _File(self._path))

    def _key(self, name: str) -> bytes:
        return hmac.digest(self._secret, name.encode(errors="surrogatepass"), "sha256")[:16]

    def _count(self, name: str, limit: Limit) -> Standing | None:
        now, (events, seconds, slides) = time.time(), limit
        values = {"name": self._key(name), "now": now, "events": events, "seconds": seconds}
        values["carry"] = seconds if slides else 0
        row = self._file().use(lambda database: database.execute(COUNT, values).fetchone())
        if row is None:
            return None
        ends, n, before, passed = row
        left = min(ends - now, seconds)
        free = events - n - before * left / seconds
        if passed:
            return Standing(max(ceil(free), 0), left)
        # The time before weighs less and less; if that is not enough, all of this one must end.
        wait = left if n >= events else left - (events - n) * seconds / before
        return Standing(0, left, max(wait, 0.001))


class _File:
    """The file as one process uses it: one connection, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._number: int | None = None
        self._rests_until = self._prune_at = 0.0
        self._told = False

    def use(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """Do it, as the only thread of this process. None: the file cannot be used just now."""
        with self._lock:
            if time.monotonic() < self._rests_until:
                return None
            try:
                result = self._try(work)
            except (sqlite3.Error, OSError) as error:
                self._fail(error)
                return None
            self._told = False
            return result

    def _try(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return work(self._prune(self._connection()))
        except sqlite3.Error as error:
            if _code(error) not in NOT_OURS:
                raise
            self._begin_anew()
            return work(self._connection())

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            self._path.parent.mkdir(exist_ok=True)
            self._database = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            _write_ahead(self._database)
            # A power cut may take counts with it; a killed process takes none.
            for line in ("PRAGMA synchronous=OFF", TABLE):
                self._database.execute(line)
            self._number = os.stat(self._path).st_ino
        return self._database

    def _prune(self, database: sqlite3.Connection) -> sqlite3.Connection:
        """Now and then: drop what has ended, and go over to the file that is there by now."""
        if time.monotonic() < self._prune_at:
            return database
        self._prune_at = time.monotonic() + PRUNE_EVERY
        if not self._is_there():
            self._close()
            database = self._connection()
        past = time.time() - KEPT
        gone = "DELETE FROM counts WHERE ends NOT BETWEEN ? AND ?"
        database.execute(gone, (past, past + 3 * KEPT))
        return database

    def _is_there(self) -> bool:
        return self._path.exists() and os.stat(self._path).st_ino == self._number

    def _begin_anew(self) -> None:
        """Throw the file away, unless another process has done so since we opened it."""
        logger.warning("%s is damaged: the counts begin anew.", self._path)
        if self._number is None or self._is_there():
            for end in ("", "-wal", "-shm"):
                Path(f"{self._path}{end}").unlink(missing_ok=True)
        self._close()

    def _fail(self, error: Exception) -> None:
        self._rests_until = time.monotonic() + REST
        self._close()
        if not self._told:
            logger.warning("%s cannot be used: nothing is limited. %s", self._path, error)
        self._told = True

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = self._number = None


def _write_ahead(database: sqlite3.Connection) -> None:
    """Have a new file written ahead. Of all statements this one does not wait by itself for
    another process: several that come first to the same file all do this."""
    give_up_at = time.monotonic() + PATIENCE
    while True:
        try:
            database.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def _code(error: sqlite3.Error) -> int:
    # The lower byte; those above it tell more than we ask.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@lru_cache(maxsize=1)
def _counters(path: Path) -> Counters:
    return Counters(path, settings.SECRET_KEY)


def counters() -> Counters:
    """Those of this installation."""
    return _counters(settings.COUNTERS_FILE)
