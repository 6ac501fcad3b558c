"""Django's PostgreSQL, from which no thread waits for an answer for ever.

The server's own time-outs say nothing where the server itself hangs, or the network between.
"""

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import Error
from django.db.backends.postgresql import base, operations
from django.db.backends.utils import CursorWrapper
from psycopg import IsolationLevel
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8Dumper

# How long a connection that was kept may take to say that it still lives.
SIGN_OF_LIFE_SECONDS = 1.0
# After an attempt to connect that was not answered, the others fail at once for so long: else a
# hanging server would hold every thread, and with them what needs no database.
HANGING_SECONDS = 4.0


class Connection(psycopg.Connection[Any]):
    """Gives up, and closes itself, after `patience` seconds without the answer; None: never."""

    patience: float | None = None
    # For `DatabaseWrapper.prepared_cursor`; None until it is asked for.
    prepared: base.ServerBindingCursor | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        timeout = self.patience if timeout is None else timeout
        since = time.monotonic()
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError:
            if timeout is not None and time.monotonic() - since >= timeout:
                # What it would answer to later nobody knows.
                self.pgconn.finish()
            raise


class DatabaseOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """With its placeholders where the cursor does not tell, as one that prepares."""
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    """`PATIENCE` in the settings of the database is that of its connections."""

    ops_class = DatabaseOperations
    _hangs_until = 0.0

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        cls = type(self)
        now = time.monotonic()
        if now < cls._hangs_until:
            raise psycopg.OperationalError("the server did not answer a moment ago")
        if cls._hangs_until:
            # One tries for all.
            cls._hangs_until = now + HANGING_SECONDS
        self.isolation_level = IsolationLevel.READ_COMMITTED
        try:
            connection = Connection.connect(**conn_params)
        except psycopg.errors.ConnectionTimeout:
            cls._hangs_until = time.monotonic() + HANGING_SECONDS
            raise
        except psycopg.OperationalError:
            cls._hangs_until = 0.0
            raise
        cls._hangs_until = 0.0
        connection.patience = self.settings_dict.get("PATIENCE")
        return connection

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        self.connection.patience = SIGN_OF_LIFE_SECONDS
        usable = super().is_usable()
        self.connection.patience = self.settings_dict.get("PATIENCE")
        return usable

    def read(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query that changes nothing, as `prepared_cursor` runs it.

        Where Django would ask a connection that was kept for a sign of life first, the answer is
        the sign, and what has none in time is asked once more through a new connection.
        """
        if self._is_alive_for_certain():
            return self._rows(sql, params)
        self.health_check_done = True
        self.connection.patience = SIGN_OF_LIFE_SECONDS
        try:
            return self._rows(sql, params)
        except Error:
            if not self.connection.closed:
                raise
            self.close()
        finally:
            if self.connection is not None:
                self.connection.patience = self.settings_dict.get("PATIENCE")
        return self._rows(sql, params)

    def _is_alive_for_certain(self) -> bool:
        """As far as Django wants to be certain."""
        kept = self.connection is not None and self.health_check_enabled  # type: ignore[attr-defined]  # the stubs lack it
        return not kept or self.health_check_done or self.in_atomic_block

    def _rows(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self.prepared_cursor()
        cursor.execute(sql, params)
        return cursor.fetchall()

    def prepared_cursor(self) -> CursorWrapper:
        """One for statements that come again and again: the server prepares them, unless
        `prepare_threshold` in the OPTIONS is None. It stays open as long as the connection.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            if self.connection.prepared is None:
                cursor: Any = base.ServerBindingCursor(self.connection)  # type: ignore[call-arg]  # the stubs know psycopg 2
                # Else a number would have the type that is just large enough, and the server would
                # have one statement for each.
                cursor.adapters.register_dumper(int, Int8Dumper)
                # psycopg's is in C, Django's is not. The zone is that of the connection, UTC.
                cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
                self.connection.prepared = cursor
            return self._prepare_cursor(self.connection.prepared)  # type: ignore[attr-defined]  # the stubs lack it
