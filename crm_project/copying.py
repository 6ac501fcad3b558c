"""Many rows at once, at the speed of the database: without the ORM, by COPY on PostgreSQL."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model

# Fewer are written by the ORM in one statement; COPY costs a second trip to the database.
MANY = 50

Cell = str | int | float | bool | None


def take_ids(model: type[Model], count: int) -> Sequence[int]:
    """So many ids for new rows, ascending, which nobody else gets.

    In a transaction, and on SQLite the rows must be inserted before more are taken.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            (last,) = cursor.fetchone() or [0]
            return range(last + 1, last + 1 + count)
        # Whoever counts the rows of the table by their ids sees by it that there are some to come.
        cursor.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        cursor.execute(
            "SELECT nextval(ids) FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass AS ids"
            " OFFSET 0) AS sequence, generate_series(1, %s)",
            [table, "id", count],
        )
        return sorted(row[0] for row in cursor.fetchall())


def insert(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write rows of these columns; the database makes of a text whatever the column holds.

    PostgreSQL works on the first of them while the others are made.
    """
    table, names = model._meta.db_table, ", ".join(columns)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        if connection.vendor == "sqlite":
            marks = ", ".join(["%s"] * len(columns))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # nosec B608  # names of our own
            cursor.executemany(statement, list(rows))
            return
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def moment_as_text(value: Any) -> str | None:
    """A time as `insert` takes it; None stays None."""
    return value and str(connection.ops.adapt_datetimefield_value(value))
