"""What a database holds every row of a table to, as far as it can be relied on."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import CheckConstraint, Model, UniqueConstraint

# Not validated yet, or an index that was not built to the end.
UNPROVEN = """
    SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND NOT convalidated
    UNION
    SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = %s::regclass AND NOT indisvalid
"""


def missing_checks(model: type[Model]) -> list[str]:
    """The names of the model's checks that the database does not make, or not of every row."""
    checks = [each.name for each in model._meta.constraints if isinstance(each, CheckConstraint)]
    made = {name for name, found in _standing(model).items() if found["check"]}
    return [name for name in checks if name not in made]


def missing_uniqueness(model: type[Model]) -> list[str]:
    """The sets of columns, "table (column, ...)", that should be unique and may not be."""
    columns = {each.name: each.column for each in model._meta.local_concrete_fields}
    alone = [
        [each.column]
        for each in model._meta.local_concrete_fields
        # SQLite does not list the primary key, which is its table's own order.
        if each.unique and not each.primary_key
    ]
    together = [
        [columns[name] for name in each.fields]
        for each in model._meta.constraints
        if isinstance(each, UniqueConstraint)
    ]
    held = [found["columns"] for found in _standing(model).values() if found["unique"]]
    return [
        f"{model._meta.db_table} ({', '.join(map(str, each))})"
        for each in alone + together
        if each not in held
    ]


def _standing(model: type[Model]) -> Mapping[str, Any]:
    """The constraints of the model's table, by name, without those that prove nothing yet."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
        if connection.vendor == "postgresql":
            cursor.execute(UNPROVEN, [table, table])
            for (name,) in cursor.fetchall():
                found.pop(name, None)
    return found
