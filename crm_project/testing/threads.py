"""Many calls at the same moment, each thread with a database connection of its own."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from django.db import connection, connections


def at_once(calls: Sequence[Callable[[], Any]], threads: int) -> tuple[list[Any], list[Exception]]:
    """Run the calls on so many threads that start together.

    Returns the results, in the order of the calls that had one, and the errors of the others.
    """
    start = threading.Barrier(threads)
    results: dict[int, Any] = {}
    errors: list[Exception] = []

    def work(share: range) -> None:
        start.wait()
        try:
            for number in share:
                try:
                    results[number] = calls[number]()
                except Exception as error:  # told by the test
                    errors.append(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        for number in range(threads):
            pool.submit(work, range(number, len(calls), threads))
    return [results[number] for number in sorted(results)], errors


def meeting(real: Callable[..., Any], *, seconds: float) -> Callable[..., Any]:
    """`real`, before which two wait for each other, for so long at most."""
    barrier = threading.Barrier(2, timeout=seconds)

    def met(*args: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            barrier.wait()
        return real(*args)

    return met


def until_somebody_waits(seconds: float = 10, *, many: int = 1) -> None:
    """Return once so many connections to this database wait for a lock; PostgreSQL only."""
    deadline = time.monotonic() + seconds
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            # The first look within a transaction would be kept for all of it.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(query)
            if cursor.fetchone()[0] >= many:
                return
        time.sleep(0.01)
    raise TimeoutError("nobody waits for a lock")


def elsewhere(call: Callable[[], Any]) -> Any:
    """Run the call in another thread, so in a transaction of its own, and wait for its end."""
    results, errors = at_once([call], 1)
    if errors:
        raise errors[0]
    return results[0]
