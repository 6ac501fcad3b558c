"""Statements that are made once, for the one path on which making them anew, as Django does each
time, takes longer than what they do. PostgreSQL is told to prepare them, so that it plans once too.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet

AnyModel = TypeVar("AnyModel", bound=Model)
Row = tuple[Any, ...]


def run(sql: str, params: Sequence[Any]) -> list[Row]:
    """The rows that a statement returns; placeholders are `%s`."""
    # Only our PostgreSQL has one.
    cursor = getattr(connection, "prepared_cursor", connection.cursor)()
    cursor.execute(sql, params)
    rows: list[Row] = cursor.fetchall()
    return rows


class Query(Generic[AnyModel]):
    """A queryset's SQL, made the first time it is asked.

    `make` is called with `samples`, values that stand nowhere else in it, to find out where the
    parameters go; it must not depend on them otherwise.
    """

    def __init__(self, make: Callable[..., QuerySet[AnyModel, Any]], *samples: Any) -> None:
        self.make, self.samples = make, samples

    def rows(self, *values: Any) -> list[Row]:
        """As `values_list` gives them."""
        made = _made(self, connection.vendor)
        given = dict(zip(self.samples, values, strict=True))
        # Only our PostgreSQL has a way of its own to read.
        read_rows = getattr(connection, "read", run)
        rows = read_rows(made.sql, [given.get(each, each) for each in made.params])
        if not made.converters:
            return rows
        return [_converted(row, made.converters) for row in rows]

    def objects(self, *values: Any) -> list[AnyModel]:
        """The same as objects, of a queryset that has all fields of its model and nothing else."""
        model = self.make(*self.samples).model
        return [_instance(model, row) for row in self.rows(*values)]


class Made(NamedTuple):
    """What the database sends goes through `converters`, by column."""

    sql: str
    params: tuple[Any, ...]
    converters: dict[int, Any]


@cache
def _made(query: Query[Any], vendor: str) -> Made:
    """`vendor` because the same queryset is other SQL elsewhere."""
    compiler = query.make(*query.samples).query.get_compiler(DEFAULT_DB_ALIAS)
    sql, params = compiler.as_sql()
    converters = compiler.get_converters([each[0] for each in compiler.select])
    return Made(sql, params, converters)


def _converted(row: Row, converters: dict[int, Any]) -> Row:
    values = list(row)
    for column, (functions, expression) in converters.items():
        for function in functions:
            values[column] = function(values[column], expression, connection)
    return tuple(values)


def read(model: type[AnyModel], row: Row) -> AnyModel:
    """An object from all columns of its row, in the order of the model's fields, as they came."""
    return _instance(model, _converted(row, _converters_of(model, connection.vendor)))


def _instance(model: type[AnyModel], row: Row) -> AnyModel:
    names = [each.attname for each in model._meta.concrete_fields]
    return model.from_db(DEFAULT_DB_ALIAS, names, row)


@cache
def _converters_of(model: type[Model], vendor: str) -> dict[int, Any]:
    compiler = model._base_manager.all().query.get_compiler(DEFAULT_DB_ALIAS)
    columns = [each.get_col(model._meta.db_table) for each in model._meta.concrete_fields]
    return compiler.get_converters(columns)
