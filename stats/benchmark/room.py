"""Whether the disk has room for what is to be filled."""

import shutil
from pathlib import Path

from django.db import DatabaseError, connection, transaction

from stats.benchmark.processes import database_server

# With indexes and, on PostgreSQL, what its log keeps meanwhile.
BYTES_PER_CONTACT = {"postgresql": 2_000, "sqlite": 2_200}


class NoRoomError(Exception):
    """The disk is too small; says what is needed and what there is."""


def need_room(contacts: int) -> None:
    """Raise NoRoomError unless the disk of the database has room for so many contacts more. Where
    that cannot be told, as on another machine, nothing is said.
    """
    folder = _folder()
    if folder is None or not folder.is_dir():
        return
    needed, free = contacts * BYTES_PER_CONTACT[connection.vendor], shutil.disk_usage(folder).free
    if needed > free:
        raise NoRoomError(
            f"{contacts} contacts need about {needed / 1e9:.1f} GB,"
            f" and {free / 1e9:.1f} GB are free in {folder}."
        )


def _folder() -> Path | None:
    if connection.vendor == "sqlite":
        return Path(connection.settings_dict["NAME"]).parent.resolve()
    if database_server() is None:
        return None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            return Path(cursor.fetchone()[0])
    except DatabaseError:  # only for who may see it
        return None
