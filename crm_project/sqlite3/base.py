"""Django's SQLite, with a queue of writers that waits as long as it moves.

SQLite lets whoever asks at the right moment have the lock: with many at once, one may wait longer
than many others together. That is no reason to give up. One that holds it and does nothing is.
"""

import os
import sqlite3
import time
from typing import Any
from urllib.parse import unquote

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from crm_project.errors import Busy
from crm_project.faults import fault_of

# In all, for a queue that moves; `timeout` in OPTIONS is for one that does not.
MOST_SECONDS = 20.0


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """Django's; one that cannot be used is closed, and its file with it. Django leaves that to
        whenever Python happens to look for what nobody needs.
        """
        opened: list[sqlite3.Connection] = []

        def connect(*args: Any, **options: Any) -> sqlite3.Connection:
            opened.append(sqlite3.Connection(*args, **options))
            return opened[0]

        try:
            return super().get_new_connection(conn_params | {"factory": connect})
        except sqlite3.Error:
            for connection in opened:
                connection.close()
            raise

    def _start_transaction_under_autocommit(self) -> None:
        until = time.monotonic() + MOST_SECONDS
        while True:
            before = self._written()
            try:
                super()._start_transaction_under_autocommit()  # type: ignore[misc]  # the stubs lack it
                return
            except OperationalError as error:
                moves = isinstance(fault_of(error), Busy) and self._written() != before
                if not moves or time.monotonic() > until:
                    raise

    def _written(self) -> int | None:
        """Differs when somebody has committed meanwhile; None: there is no log that tells."""
        name = unquote(str(self.settings_dict["NAME"]).removeprefix("file:").partition("?")[0])
        try:
            return os.stat(f"{name}-wal").st_mtime_ns
        except OSError:
            return None
