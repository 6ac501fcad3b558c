"""How long the service waits for its database; why: docs/decisions/0012-time-outs.md."""

from typing import Any
from urllib.parse import quote

CONNECT_SECONDS = 3
LOCK_SECONDS = 3
STATEMENT_SECONDS = 30
IDLE_IN_TRANSACTION_SECONDS = 60
SQLITE_BUSY_SECONDS = 4


def connection_options(*, pgbouncer: bool) -> dict[str, Any]:
    """For every connection to PostgreSQL. PgBouncer refuses options of the session."""
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        # A peer that has vanished without a word is given up after 10 s with data on the way to it,
        # after 25 s without.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    if not pgbouncer:
        # At once; only what `prepared_cursor` runs.
        options["prepare_threshold"] = 0
        options["options"] = session_options(
            lock_timeout=LOCK_SECONDS,
            idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_SECONDS,
        )
    return options


def session_options(**seconds: int) -> str:
    return " ".join(f"-c {name}={value}s" for name, value in seconds.items())


def serve_from(database: dict[str, Any]) -> None:
    """Make the settings of a database those of a process that serves: nobody waits for a page as
    long as for a command, and a file that has vanished is not begun anew.
    """
    if database["ENGINE"].endswith("sqlite3"):
        if database["NAME"] != ":memory:":
            database["NAME"] = f"file:{quote(str(database['NAME']))}?mode=rw"
        return
    options = database["OPTIONS"]
    if "options" in options:
        options["options"] += " " + session_options(statement_timeout=STATEMENT_SECONDS)
    # The server says so itself, unless it is the one that hangs.
    database["PATIENCE"] = STATEMENT_SECONDS + 5
