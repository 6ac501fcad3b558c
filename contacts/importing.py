"""Rows of a file become contacts, many in a transaction, each once whatever happens.

The keys of the rows are inserted first, in the transaction that makes the contacts. So whoever
imports the same rows meanwhile waits until those are kept or undone, and where a run was killed,
the next one passes over what is there. Lock order: keys in their order, then as in
`contacts.services`.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import chain, islice
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from rest_framework.exceptions import APIException

from contacts.bulk import read_inquiries
from contacts.import_files import LONGEST_ID, Row
from contacts.inquiry import Inquiry
from contacts.models import ImportedRow
from contacts.services import create_contacts
from crm_project.actor import Actor
from crm_project.errors import Busy
from crm_project.faults import fault_of
from leads.identity import normalised_phone

# What can become of a row; `known` is one that is a contact already.
ASSIGNED, WAITING, KNOWN, REFUSED = "assigned", "waiting", "known", "refused"
# What a batch is to take. For half of that or so it holds the operators who serve its sources, and
# nobody who writes to the service is to wait much longer.
SECONDS = 0.5
LEAST, MOST = 100, 5_000
# While one is written, the next one is got ready, up to the lock of the operators.
AT_ONCE = 2
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


def import_all(rows: Iterable[Row], *, actor: Actor, dry_run: bool = False) -> Iterator[Imported]:
    """Make contacts of the rows that are none yet, nearly in their order; tell of each batch when
    it is kept. With `dry_run` only look, not at whom they would go to.

    Raises what the database said where others were in the way all the time.
    """
    batches, size = Batches(rows), LEAST
    alone = dry_run or connection.vendor == "sqlite" or connection.in_atomic_block
    work = partial(_timed, actor=actor, dry_run=dry_run)
    with _threads() as pool:
        under_way: deque[Under] = deque()
        while True:
            busy = frozenset().union(*(each.leads for each in under_way))
            if batch := batches.take(size, busy):
                future = _done(work, batch) if alone else pool.submit(work, batch)
                under_way.append(Under(future, frozenset(map(lead_of, batch)), len(batch)))
                if len(under_way) < AT_ONCE and not alone:
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
    return _patiently(batch, actor, dry_run), time.monotonic() - began


def _done(work: Callable[[Any], Any], batch: Sequence[Row]) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(work(batch))
    return future


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that keep a connection each, to be closed in the end by this one."""
    opened: list[Any] = []

    def begin() -> None:
        mine = connections[DEFAULT_DB_ALIAS]
        mine.inc_thread_sharing()
        opened.append(mine)

    try:
        with ThreadPoolExecutor(AT_ONCE, initializer=begin) as pool:
            yield pool
    finally:
        for each in opened:
            each.close()


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
    return str(UUID(bytes=sha256(named).digest()[:16]))


def _write(good: dict[str, Inquiry], actor: Actor) -> Counter[str]:
    for each in good.values():
        # Remembered: it takes a while, and soon the leads are locked.
        normalised_phone(each.profile.phone, region=settings.PHONE_REGION)
    with transaction.atomic():
        mine = claim(sorted(good))
        inquiries = [asked for key, asked in good.items() if key in mine]
        created = create_contacts(inquiries, actor=actor) if inquiries else []
    return Counter(ASSIGNED if contact.operator_id else WAITING for contact, _ in created)


def claim(keys: Sequence[str]) -> set[str]:
    """Insert the keys that are not there; return which those are. Waits for whoever inserts one of
    them at this moment.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            found = ImportedRow.objects.filter(pk__in=keys).values_list("pk", flat=True)
            known = {str(key) for key in found}
            new = set(keys) - known
            statement = "INSERT INTO contacts_importedrow (key) VALUES (%s)"
            cursor.executemany(statement, [[key.replace("-", "")] for key in sorted(new)])
            return new
        cursor.execute(
            "INSERT INTO contacts_importedrow (key)"
            " SELECT key::uuid FROM unnest(string_to_array(%s, ' ')) AS key"
            " ON CONFLICT DO NOTHING RETURNING key::text",
            [" ".join(keys)],
        )
        return {key for (key,) in cursor.fetchall()}
