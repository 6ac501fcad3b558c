"""Up to where a table that only grows has been counted, and how far that can be done now.

Ids are given before the rows that bear them are committed, so that a smaller one may appear after
a greater. SQLite lets one write at a time. On PostgreSQL whoever writes into a table holds a lock
of it from before an id is taken until the transaction ends. An id is settled once all have ended
who held one when it was the newest, as `CREATE INDEX CONCURRENTLY` knows what it has to wait for.
The ids of transactions would not do: one has none before its first row is there.
"""

from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from contacts.tally.models import Mark

CONTACTS, DRAWS, LEADS = "contacts", "draws", "leads"
# One that has been prepared for a commit in two phases has lost its name.
PREPARED = "prepared"
WRITING = """
    SELECT DISTINCT CASE WHEN pid IS NULL THEN %s ELSE virtualtransaction END FROM pg_locks
    WHERE mode = 'RowExclusiveLock' AND relation = %s::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def lock(name: str) -> Mark:
    """The mark, locked; waits for who holds it."""
    rows = Mark.objects.select_for_update(no_key=True).filter(name=name)
    found = rows.first()
    if found is None:
        Mark.objects.get_or_create(name=name)
        found = rows.get()
    return found


def lock_if_free(name: str) -> Mark | None:
    """The mark, locked; None: somebody else has it, and does what there is to do."""
    Mark.objects.get_or_create(name=name)
    rows = Mark.objects.select_for_update(no_key=True, skip_locked=True)
    return rows.filter(name=name).first()


def up_to(name: str) -> int:
    """The id up to which the rows have been counted."""
    return Mark.objects.filter(name=name).values_list("up_to", flat=True).first() or 0


def newest_id(rows: QuerySet) -> int:
    return rows.aggregate(newest=Max("pk"))["newest"] or 0


def settled(mark: Mark, rows: QuerySet) -> int:
    """The id up to which no row can appear any more; noted in the mark, which is not saved.

    What is new now is so at a later call, after all who write now have ended.
    """
    newest = newest_id(rows)
    if connection.vendor != "postgresql":
        return newest
    # After the newest was read: whoever was given a smaller id was writing by then.
    writing = _writing(rows.model._meta.db_table)
    found = mark.up_to
    if mark.seen is not None:
        if writing & {*mark.writers.split(), PREPARED}:
            return found
        found = max(found, mark.seen)
    mark.seen, mark.writers = newest, " ".join(sorted(writing))
    return found


def advance(
    name: str, rows: QuerySet, deal: Callable[[Mark, int], None], *, least: int, at_once: int
) -> int:
    """Let `deal` do what is to be done for the rows beyond the mark, up to the id that it is given,
    and move the mark there; how far that was. 0: there are fewer than `least`, they are not settled
    yet, or somebody else is at it.
    """
    if newest_id(rows) < up_to(name) + least:
        return 0
    with transaction.atomic():
        mark = lock_if_free(name)
        if mark is None:
            return 0
        end = min(settled(mark, rows), mark.up_to + at_once)
        done = end - mark.up_to
        deal(mark, end)
        mark.up_to = end
        mark.save()
    return done


def _writing(table: str) -> set[str]:
    """The names of the transactions that write into the table, or have."""
    with connection.cursor() as cursor:
        cursor.execute(WRITING, [PREPARED, table])
        return {name for (name,) in cursor.fetchall()}
