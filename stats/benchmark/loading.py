"""Rows into empty tables at the speed of the database, without the ORM and without its objects."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

BATCH = 20_000
# What PostgreSQL sorts in memory for an index.
SORTING = "256MB"
INDEXES_OF = {
    "sqlite": (
        "SELECT sql, 'DROP INDEX \"' || name || '\"' FROM sqlite_master"
        " WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL ORDER BY name"
    ),
    "postgresql": (
        "SELECT pg_get_indexdef(indexrelid), format('DROP INDEX %%s', indexrelid::regclass)"
        " FROM pg_index WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint"
        " WHERE conindid = indexrelid AND conrelid = indrelid) ORDER BY indexrelid"
    ),
}
TRIGGERS_OF = (
    "SELECT sql, 'DROP TRIGGER \"' || name || '\"' FROM sqlite_master"
    " WHERE type = 'trigger' AND tbl_name = %s ORDER BY name"
)
# Unique ones before the foreign keys, which come last: each is then checked once, over all rows.
CONSTRAINTS_OF = (
    "SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,"
    " pg_get_constraintdef(oid)), format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass,"
    " conname) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('u', 'f')"
    " ORDER BY contype = 'f', conname"
)


@contextmanager
def bare(models: Sequence[type[Model]], *, also: Sequence[type[Model]]) -> Iterator[None]:
    """Let the tables of these models be without indexes and foreign keys inside the block. `also`
    are others that are filled there, whose rows come in the order of their indexes: to read a table
    larger than the memory once more for each of them takes longer.

    On PostgreSQL the block is one transaction, so that nobody ever sees them so; on SQLite, which
    would keep all of it in its log twice, an interrupted one leaves a file to be deleted.
    """
    if connection.vendor == "sqlite":
        with connection.constraint_checks_disabled():
            _execute("PRAGMA synchronous=OFF")
            indexes = _taken_away(INDEXES_OF["sqlite"], models)
            yield
            _execute(*indexes)
            _execute("PRAGMA synchronous=FULL")
        return
    with transaction.atomic():
        _execute("SET CONSTRAINTS ALL IMMEDIATE")
        constraints = _taken_away(CONSTRAINTS_OF, models)
        indexes = _taken_away(INDEXES_OF["postgresql"], models)
        yield
        _execute(f"SET LOCAL maintenance_work_mem = '{SORTING}'", *indexes, *constraints)
        _execute(*connection.ops.sequence_reset_sql(no_style(), list(models)))
    # Or autovacuum comes later, amid what is to be measured.
    _execute(*(f"VACUUM ANALYZE {model._meta.db_table}" for model in [*models, *also]))


@contextmanager
def unnoticed(models: Sequence[type[Model]]) -> Iterator[None]:
    """Let no trigger of theirs run inside the block: what triggers keep is to be made right after
    it. In one transaction on PostgreSQL, as above.
    """
    if connection.vendor == "sqlite":
        triggers = _taken_away(TRIGGERS_OF, models)
        yield
        _execute(*triggers)
        return
    tables = [model._meta.db_table for model in models]
    _execute(*(f"ALTER TABLE {each} DISABLE TRIGGER USER" for each in tables))
    yield
    _execute(*(f"ALTER TABLE {each} ENABLE TRIGGER USER" for each in tables))


def write(
    model: type[Model],
    columns: Sequence[str],
    rows: Iterator[tuple[Any, ...]],
    progress: Callable[[int], None],
) -> None:
    """Write rows of texts, numbers and None; no text may hold a tab, a line end or a backslash.

    `progress` is told how many are written.
    """
    table, names, written = model._meta.db_table, ", ".join(columns), 0
    if connection.vendor == "sqlite":
        marks = ", ".join(["%s"] * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # nosec B608
        while batch := list(islice(rows, BATCH)):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany(statement, batch)
            written += len(batch)
            progress(written)
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        while batch := list(islice(rows, BATCH)):
            copy.write("".join(map(_line, batch)))
            written += len(batch)
            progress(written)


def _line(row: tuple[Any, ...]) -> str:
    return "\t".join(["\\N" if each is None else str(each) for each in row]) + "\n"


def _taken_away(found_by: str, models: Sequence[type[Model]]) -> list[str]:
    """Drop what the query finds of these tables; the statements that bring it back."""
    back = []
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(found_by, [model._meta.db_table])
            for definition, drop in cursor.fetchall():
                cursor.execute(drop)
                back.append(definition)
    return back


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
