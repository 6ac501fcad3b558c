"""How long the server works on each page, in this process and one after the other."""

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from stats.benchmark.addresses import Address
from stats.benchmark.processes import cpu_seconds, database_server
from stats.benchmark.report import Row, row

# A page that takes long is not asked for as often as it should be, but once.
LONGEST_SECONDS = 10.0


def measure(addresses: Iterable[Address], user: Any, repeats: int) -> Iterator[Row]:
    """Ask for each so often as that user, who can see everything."""
    with _undisturbed():
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        client.force_login(user)
        server = database_server()
        for address in list(addresses):
            yield _measure(client, address, repeats, server)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """The rows of sessions stay as they are, no limit of requests is met, nobody need collect the
    static files, and the terminal is not full of the log.
    """
    log = logging.getLogger("crm_project.request_log")
    level, backend = log.level, "django.contrib.staticfiles.storage.StaticFilesStorage"
    with (
        tempfile.TemporaryDirectory(prefix="mini-crm-benchmark-") as folder,
        override_settings(
            SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
            ALLOWED_HOSTS=["localhost"],
            STORAGES=settings.STORAGES | {"staticfiles": {"BACKEND": backend}},
            COUNTERS_FILE=Path(folder) / "counters.sqlite3",
            REQUESTS_PER_MINUTE_KEY=1_000_000,
            WHITENOISE_AUTOREFRESH=True,
        ),
    ):
        log.setLevel(logging.WARNING)
        try:
            yield
        finally:
            log.setLevel(level)


def _measure(client: Client, address: Address, repeats: int, server: int | None) -> Row:
    queries: list[str] = []

    def count(execute: Any, sql: str, *args: Any) -> Any:
        queries.append(sql)
        return execute(sql, *args)

    paths, statuses = cycle(address.paths), Counter[str]()
    with connection.execute_wrapper(count):
        client.get(next(paths), secure=True)
    times: list[float] = []
    app, db, began = process_time(), cpu_seconds(server), perf_counter()
    while len(times) < repeats:
        since = perf_counter()
        answer = client.get(next(paths), secure=True)
        times.append(1000 * (perf_counter() - since))
        statuses[str(answer.status_code)] += 1
        if perf_counter() - began > LONGEST_SECONDS:
            break
    now = cpu_seconds(server)
    return row(
        address.name,
        times,
        seconds=perf_counter() - began,
        app_cpu=process_time() - app,
        db_cpu=None if db is None or now is None else now - db,
        queries=len(queries),
        statuses=statuses,
    )
