"""Imports of files: read whole once, kept in parts, and imported part by part.

A part and the progress are written in one transaction under the lock of the run, so that nothing
is imported twice or left out, whoever is killed and however often the next part is asked for.
Lock order: runs by pk, before everything else.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO

from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.import_rows import (
    KINDS,
    LEADS,
    Fault,
    Header,
    Item,
    Kind,
    check,
    read_header,
)
from contacts.locks import settled
from contacts.models import ImportPart, ImportRun
from crm_project.actor import Actor
from crm_project.sheets.reading import Row, SheetError, read_rows

# The operators who may get its contacts are locked for as long as a part takes.
ROWS_IN_PART = 500
PARTS_AT_ONCE = 10
KEPT = timedelta(days=1)


def read_in(file: BinaryIO, *, kind: str, file_name: str, user: Any) -> ImportRun:
    """Check the rows of a file and keep them, to be imported by `advance`; forget old files.

    Raises SheetError.
    """
    now = timezone.now()
    forget_old_runs(now)
    rows = read_rows(file)
    run = ImportRun(kind=kind, file_name=file_name, user=user, created_at=now)
    header = read_header(_first(rows).cells, KINDS[kind])
    run.unused_columns = header.unused
    run.save()
    try:
        _keep(run, header, rows)
    except SheetError:
        run.delete()
        raise
    return run


def forget_old_runs(now: datetime) -> None:
    ImportRun.objects.filter(created_at__lt=now - KEPT).delete()


def _first(rows: Iterator[Row]) -> Row:
    for row in rows:
        return row
    raise SheetError(_("The file is empty."))


def _keep(run: ImportRun, header: Header, rows: Iterator[Row]) -> None:
    """Each part in a transaction of its own: nobody waits for a large file."""
    kind, parts = KINDS[run.kind], 0
    by_source: Counter[str] = Counter()
    while some := list(islice(rows, ROWS_IN_PART)):
        good, valid, faults = _check(header, some, kind)
        ImportPart.objects.create(
            run=run, number=parts, items=json.dumps(good), faults=json.dumps(faults)
        )
        parts += 1
        run.rows += len(valid)
        run.faulty_rows += len(some) - len(valid)
        if run.kind != LEADS:
            by_source.update(str(inquiry.source.pk) for inquiry in valid)
    if not parts:
        raise SheetError(_("There is nothing below the first row, which has the titles."))
    run.parts, run.rows_by_source = parts, by_source
    run.save(update_fields=["rows", "faulty_rows", "rows_by_source", "parts"])


def _check(
    header: Header, rows: Sequence[Row], kind: Kind
) -> tuple[list[Item], list[Any], list[Fault]]:
    read = [header.item(row) for row in rows]
    items = [each for each in read if isinstance(each, Item)]
    valid, faults = check(items, kind)
    faulty = {fault.row for fault in faults}
    good = [item for item in items if item.row not in faulty]
    return good, valid, sorted([*faults, *(each for each in read if isinstance(each, Fault))])


def advance(run_id: int, *, actor: Actor) -> ImportRun:
    """Import the next part of a run; of a finished one nothing.

    Rows whose source has gone or become inactive since they were read are faulty then.
    Raises ImportRun.DoesNotExist, also of a file that is still being read.
    """
    return settled(lambda: _advance(run_id, actor))


def _advance(run_id: int, actor: Actor) -> ImportRun:
    rows = ImportRun.objects.select_for_update(no_key=True, of=("self",))
    run = rows.get(pk=run_id, parts__isnull=False)
    part = ImportPart.objects.filter(run=run, number=run.parts_done).first()
    if part is None:
        return run
    kind = KINDS[run.kind]
    items = [Item(*each) for each in json.loads(part.items)]
    valid, faults = check(items, kind)
    if valid:
        run.outcomes = dict(Counter(run.outcomes) + kind.write(valid, actor))
    run.faulty_rows += len(items) - len(valid)
    part.items = "[]"
    part.faults = json.dumps(sorted([*faults_in(part), *faults]))
    part.save(update_fields=["items", "faults"])
    run.parts_done += 1
    if run.parts_done == run.parts:
        run.finished_at = timezone.now()
    run.save(update_fields=["outcomes", "faulty_rows", "parts_done", "finished_at"])
    return run


def faults_in(part: ImportPart) -> list[Fault]:
    return [Fault(*each) for each in json.loads(part.faults)]


def faults_of(run: ImportRun) -> Iterator[Fault]:
    """All of them, in the order of the file; only some parts are in memory."""
    parts = ImportPart.objects.filter(run=run).exclude(faults="[]").defer("items")
    last = -1
    while some := list(parts.filter(number__gt=last).order_by("number")[:PARTS_AT_ONCE]):
        for part in some:
            yield from faults_in(part)
        last = some[-1].number


def first_items(run: ImportRun, count: int) -> list[Item]:
    """Rows of the first part that are to be imported yet."""
    part = ImportPart.objects.filter(run=run, number=0).first()
    return [Item(*each) for each in json.loads(part.items)[:count]] if part else []
