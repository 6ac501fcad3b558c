"""Many rows at once, at the speed of the database: without the ORM, by COPY on PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from django.db.models.base import ModelState
from psycopg.types.json import set_json_dumps

# Fewer are written by the ORM in one statement; COPY costs PostgreSQL a second trip.
MANY = 50

AnyModel = TypeVar("AnyModel", bound=Model)
Cell = str | int | float | bool | datetime | None


def new_like(pattern: AnyModel, **values: Any) -> AnyModel:
    """Another new object, but for these columns and relations like the pattern, relations known.

    What `Model.__init__` does besides takes longer than all else that becomes of a row.
    """
    new = type(pattern).__new__(type(pattern))
    new.__dict__.update(pattern.__dict__, **values)
    new._state = ModelState()
    new._state.fields_cache = pattern._state.fields_cache.copy()
    return new


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
    """Write rows of these columns; the cells are what the columns hold, moments as `moment` gives
    them and JSON as text.

    PostgreSQL works on the first of them while the others are made.
    """
    table, names = model._meta.db_table, ", ".join(columns)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        if connection.vendor == "sqlite":
            marks = ", ".join(["%s"] * len(columns))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # nosec B608  # names of our own
            cursor.executemany(statement, list(rows))
            return
        set_json_dumps(str, cursor)
        # In binary, long texts go through both ends as they are.
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(_types(model, columns))
            for row in rows:
                copy.write_row(row)


def _types(model: type[Model], columns: Sequence[str]) -> list[str]:
    fields = {field.column: field for field in model._meta.concrete_fields}
    types = [fields[name].db_type(connection) or "" for name in columns]
    return [each.partition("(")[0] for each in types]


def moment(value: datetime | None) -> Any:
    """A time as `insert` takes it; None stays None."""
    return value and connection.ops.adapt_datetimefield_value(value)
