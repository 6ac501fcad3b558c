"""A database of the benchmark's own, beside the one that is named."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection

from stats.benchmark.stopping import unstopped

PREFIX = "mini_crm_benchmark_"


class OwnDatabase:
    """An empty, migrated one on the same server, or in a file: for as long as the block lasts.

    `url` is what DATABASE_URL says of it.
    """

    def __init__(self) -> None:
        if connection.vendor == "postgresql":
            self.name = PREFIX + secrets.token_hex(4)
            # By the file of settings, too.
            self.url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{self.name}").geturl()
        else:
            beside = Path(connection.settings_dict["NAME"]).parent
            where = beside if beside.is_dir() else None
            self.folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=where)
            self.name = str(Path(self.folder.name) / "db.sqlite3")
            self.url = f"sqlite:///{self.name}"

    def __enter__(self) -> Self:
        try:
            if connection.vendor == "postgresql":
                with unstopped():
                    _execute(f'CREATE DATABASE "{self.name}"')
            with self.in_use():
                call_command("migrate", verbosity=0, interactive=False)
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let Django's connection be to this one inside the block."""
        named = connection.settings_dict["NAME"]
        _switch_to(self.name)
        try:
            yield
        finally:
            with unstopped():
                _switch_to(named)

    def _drop(self) -> None:
        with unstopped():
            if connection.vendor == "postgresql":
                _execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
            else:
                self.folder.cleanup()


def _switch_to(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name
    # What this process remembers of the other one.
    ContentType.objects.clear_cache()
    cache.clear()


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
