"""Whether the copies of texts say what the rows do, and how they are made to."""

import random
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Min

from contacts.tally import marks
from contacts.tally.triggers import installed
from contacts.text_index import INDEXES, TextIndex, filled, is_there

# So many rows are looked at in one statement, and mended in one transaction.
AT_ONCE = 5_000
DIFFERENT = """
    SELECT {base}.id FROM {base} LEFT JOIN {table} AS copy ON copy.{key} = {base}.id
    WHERE {base}.id > %s AND {base}.id <= %s AND (copy.text IS NULL OR copy.text <> {of_base})
"""
# As an update of the row does, which whoever changes it at the same time waits for.
TOUCH = "UPDATE {base} SET {same} WHERE id = %s"
REMOVE = "DELETE FROM {table} WHERE {key} = %s"
COPY = "INSERT INTO {table} ({key}, text) SELECT id, {text} FROM {base} WHERE id = %s"


def texts_that_differ(*, some: bool = False) -> Iterator[str]:
    """Of all that is copied, in words; `some`: of a part of it, chosen by lot. As of one moment."""
    for index in INDEXES:
        if is_there(index):
            there = installed(index.base)
            yield from (f"trigger {name} is missing" for name in index.triggers - there)
            yield from (f"{index.table} {pk}" for pk in _different(index, some=some))


def mend_texts() -> None:
    """Copy anew what differs, while everybody goes on. A trigger that is missing stays so."""
    for index in INDEXES:
        if is_there(index):
            for pk in list(_different(index, some=False)):
                _copy_anew(index, pk)


def _different(index: TextIndex, *, some: bool) -> Iterator[int]:
    up_to = marks.up_to(index.name)
    oldest = index.model._default_manager.aggregate(oldest=Min("pk"))["oldest"] or 1
    starts = range(oldest - 1, up_to, AT_ONCE)
    for start in random.sample(starts, 1) if some and starts else starts:
        with connection.cursor() as cursor:
            end = min(start + AT_ONCE, up_to)
            cursor.execute(filled(DIFFERENT, index), [start, end])
            yield from (pk for (pk,) in cursor.fetchall())


@transaction.atomic
def _copy_anew(index: TextIndex, pk: int) -> None:
    with connection.cursor() as cursor:
        for statement in (TOUCH, REMOVE, COPY):
            cursor.execute(filled(statement, index), [pk])
