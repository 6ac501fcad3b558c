"""Writes backups of the database."""

import os
import subprocess  # nosec B404 - runs pg_dump alone
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from crm_project.management.commands.prepare import database_trouble

MOST_DAYS = 3_650
SUFFIXES = {"sqlite": "sqlite3", "postgresql": "dump"}


class Command(BaseCommand):
    help = (
        "Writes a backup of the database into a folder while the service runs, whole or not at"
        " all: of PostgreSQL by pg_dump, for pg_restore; of SQLite a database file. It tells the"
        " state of one moment. A second run writes one more."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="where to; made if it is not there")
        parser.add_argument(
            "--keep-days",
            type=int,
            metavar="N",
            help=f"then delete backups in that folder older than N days, 1 to {MOST_DAYS}",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder, days = options["folder"], options["keep_days"]
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--keep-days must be from 1 to {MOST_DAYS}.")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = write_backup(folder)
            self.stdout.write(f"{path} {path.stat().st_size} bytes")
            if days is not None:
                self.stdout.write(f"{delete_older(folder, days=days)} old backups deleted.")
        except OSError as error:
            raise CommandError(f"Cannot write {error.filename}: {error.strerror}.") from error


def write_backup(folder: Path) -> Path:
    """Write one and return its file, which appears only when it is whole."""
    name = f"mini-crm-{timezone.now():%Y%m%dT%H%M%S%fZ}.{SUFFIXES[connection.vendor]}"
    partial, path = folder / f".{name}.partial", folder / name
    # What will be in it is for nobody else to read.
    partial.touch(mode=0o600)
    try:
        copy_sqlite(partial) if connection.vendor == "sqlite" else dump_postgresql(partial)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        return partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def copy_sqlite(path: Path) -> None:
    """Readers and writers go on meanwhile; what was deleted is not in the copy."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(path)])
    except DatabaseError as error:
        raise CommandError(database_trouble(error)) from error


def dump_postgresql(path: Path) -> None:
    arguments = ["--format=custom", "--no-password", f"--file={path}"]
    # Ready for psql, whose options for the connection are those of pg_dump.
    (_, *psql), variables = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, arguments
    )
    try:
        # Without a shell, and what is passed comes from the settings; where it lies, PATH tells.
        done = subprocess.run(  # noqa: S603  # nosec B603 B607
            ["pg_dump", *psql],  # noqa: S607  # as above
            env=os.environ | (variables or {}),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError("pg_dump is missing: apt install postgresql-client") from error
    if done.returncode:
        raise CommandError(f"pg_dump failed: {done.stderr.strip()}")


def delete_older(folder: Path, *, days: int) -> int:
    """Delete the backups of this command that are older; return how many."""
    before = (timezone.now() - timedelta(days=days)).timestamp()
    old = [
        path
        for suffix in SUFFIXES.values()
        for path in folder.glob(f"mini-crm-*.{suffix}")
        if path.stat().st_mtime < before
    ]
    for path in old:
        path.unlink()
    return len(old)
