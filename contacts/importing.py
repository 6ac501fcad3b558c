"""Rows of a file become contacts, many in a transaction, each once whatever happens.

The keys of the rows are inserted first, in the transaction that makes the contacts. So whoever
imports the same rows meanwhile waits until those are kept or undone, and where a run was killed,
the next one passes over what is there. Lock order: keys in their order, then as in
`contacts.services`.
"""

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from itertools import chain, islice
from typing import Any, NamedTuple

from django.db import Error, IntegrityError, OperationalError, connection, transaction
from rest_framework.exceptions import APIException

from contacts.bulk import read_inquiries
from contacts.import_files import LONGEST_ID, Row
from contacts.import_pools import here, processes
from contacts.inquiry import Inquiry
from contacts.models import ImportedRow
from contacts.services import create_contacts
from crm_project.actor import Actor
from crm_project.errors import Busy
from crm_project.faults import database_trouble, fault_of

# What can become of a row; `known` is one that is a contact already.
ASSIGNED, WAITING, KNOWN, REFUSED = "assigned", "waiting", "known", "refused"
# What a batch is to take. For half of that or so it holds the operators who serve its sources, and
# nobody who writes to the service is to wait much longer.
SECONDS = 0.5
LEAST, MOST = 100, 5_000
# So many rows are done sooner than others have begun to help.
FEW = 10_000
# SQLite has one lock for all who write, and those who wait for it look every 0.1 s.
LEFT_TO_OTHERS = 0.15
# Somebody else may hold an operator for as long as the service lets anybody wait.
ATTEMPTS = 20


class Refusal(NamedTuple):
    row: Row
    reason: str


class Imported(NamedTuple):
    """What became of some rows: counts, and those that cannot be imported as they are."""

    outcomes: Counter[str]
    refused: list[Refusal]


class Batches:
    """The rows in parts, none of which names a lead that one still under way names: it would have
    to wait for that. Such rows are held back, so rows of one lead keep their order.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self._held: list[Row] = []

    def take(self, size: int, busy: Collection[Any]) -> list[Row]:
        """The next rows, at most so many; `busy` are the leads under way. None at all: there are
        no more, or too many of them have to wait for these.
        """
        batch: list[Row] = []
        waiting, self._held = self._held, []
        for row in chain(waiting, islice(self._rows, max(0, size - len(waiting)))):
            (self._held if lead_of(row) in busy else batch).append(row)
        return batch


def lead_of(row: Row) -> str | None:
    """What the row calls its lead, if that is a text."""
    name = row.fields.get("lead_external_id")
    return name if isinstance(name, str) else None


class Under(NamedTuple):
    """A batch under way, and the leads it names."""

    result: Future[tuple[Imported, float]]
    leads: frozenset[str | None]
    rows: int


class ImportStoppedError(Exception):
    """What the database said, in words."""


def import_all(rows: Iterable[Row], *, actor: Actor, dry_run: bool = False) -> Iterator[Imported]:
    """Make contacts of the rows that are none yet, nearly in their order; tell of each batch when
    it is kept. With `dry_run` only look, not at whom they would go to.

    Raises ImportStoppedError where the database cannot be used, or others were in the way all the
    time; BrokenExecutor where a process that helps is ended. What was told of is kept.
    """
    rows = iter(rows)
    first = list(islice(rows, FEW))
    alone = dry_run or connection.vendor == "sqlite" or connection.in_atomic_block
    pool_of = here if alone or len(first) < FEW else processes
    batches, size = Batches(chain(first, rows)), LEAST
    work = partial(_timed, actor=actor, dry_run=dry_run)
    with pool_of() as (pool, at_once):
        under_way: deque[Under] = deque()
        while True:
            busy = frozenset().union(*(each.leads for each in under_way))
            if batch := batches.take(size, busy):
                leads = frozenset(map(lead_of, batch))
                under_way.append(Under(pool.submit(work, batch), leads, len(batch)))
                if len(under_way) < at_once:
                    continue
            elif not under_way:
                return
            done = under_way.popleft()
            imported, took = done.result.result()
            yield imported
            size = int(min(MOST, 2 * size, max(LEAST, done.rows * SECONDS / took)))
            if connection.vendor == "sqlite" and not dry_run:
                time.sleep(LEFT_TO_OTHERS)


def _timed(batch: Sequence[Row], *, actor: Actor, dry_run: bool) -> tuple[Imported, float]:
    began = time.monotonic()
    try:
        return _patiently(batch, actor, dry_run), time.monotonic() - began
    except Error as error:
        raise ImportStoppedError(database_trouble(error)) from error


def _patiently(batch: Sequence[Row], actor: Actor, dry_run: bool) -> Imported:
    for _attempt in range(ATTEMPTS):
        try:
            return _import(batch, actor, dry_run)
        except IntegrityError:
            # A source was deleted since it was read: the next attempt tells that of its rows.
            continue
        except OperationalError as error:
            if not isinstance(fault_of(error), Busy):
                raise
    return _import(batch, actor, dry_run)


def _import(rows: Sequence[Row], actor: Actor, dry_run: bool) -> Imported:
    """All of the rows, or none of them."""
    good, refused = read(rows)
    if dry_run:
        known = ImportedRow.objects.filter(pk__in=good).count()
        outcomes = Counter(new=len(good) - known)
    else:
        outcomes = _write(good, actor)
    outcomes[REFUSED] = len(refused)
    outcomes[KNOWN] = len(rows) - outcomes.total()
    return Imported(outcomes, refused)


def read(rows: Sequence[Row]) -> tuple[dict[str, Inquiry], list[Refusal]]:
    """What is asked for, by the keys of the rows, as `POST /contacts` checks it; and the rest.

    Of two rows with one key the first is meant.
    """
    good: dict[str, Inquiry] = {}
    refused = []
    for row, asked in zip(rows, read_inquiries([row.fields for row in rows]), strict=True):
        if reason := row.fault or _fault_of_id(row.id):
            refused.append(Refusal(row, reason))
        elif isinstance(asked, APIException):
            refused.append(Refusal(row, _in_words(asked)))
        else:
            good.setdefault(key_of(asked.source.pk, row.id), asked)
    return good, refused


def _fault_of_id(text: str) -> str:
    if not text:
        return "the row has no id"
    return f"the id is longer than {LONGEST_ID} characters" if len(text) > LONGEST_ID else ""


def _in_words(error: APIException) -> str:
    if not isinstance(error.detail, dict):
        return str(error.detail)
    return "; ".join(
        f"{field}: {detail}" for field, details in error.detail.items() for detail in details
    )


def key_of(source_id: int, row_id: str) -> str:
    """One row of one source, however often it is sent. It does not show the id; who tries all that
    an id may be finds it all the same.
    """
    named = f"{source_id} {row_id}".encode(errors="surrogatepass")
    return sha256(named).hexdigest()[:32]


def _write(good: dict[str, Inquiry], actor: Actor) -> Counter[str]:
    with transaction.atomic():
        _read_by_indexes()
        mine = claim(sorted(good))
        inquiries = [asked for key, asked in good.items() if key in mine]
        created = create_contacts(inquiries, actor=actor) if inquiries else []
    return Counter(ASSIGNED if contact.operator_id else WAITING for contact, _ in created)


def _read_by_indexes() -> None:
    """Whatever PostgreSQL believes of the tables, which may have been empty a moment ago: it would
    keep to what it planned then, for foreign keys too, and read all of a table for each row.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # What must be read whole all the same looks dear then, and would be compiled first.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")


def claim(keys: Sequence[str]) -> set[str]:
    """Insert the keys that are not there; return which those are. Waits for whoever inserts one of
    them at this moment.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            found = ImportedRow.objects.filter(pk__in=keys).values_list("pk", flat=True)
            known = {key.hex for key in found}
            new = set(keys) - known
            statement = "INSERT INTO contacts_importedrow (key) VALUES (%s)"
            cursor.executemany(statement, [[key] for key in sorted(new)])
            return new
        cursor.execute(
            "INSERT INTO contacts_importedrow (key)"
            " SELECT key::uuid FROM unnest(string_to_array(%s, ' ')) AS key"
            " ON CONFLICT DO NOTHING RETURNING replace(key::text, '-', '')",
            [" ".join(keys)],
        )
        return {key for (key,) in cursor.fetchall()}
