"""Up to where a table that only grows has been counted, and how far that can be done now.

Ids are given before the rows that bear them are committed, so that a smaller one may appear after
a greater. SQLite lets one write at a time; PostgreSQL tells which transactions go on.
"""

from django.db import connection
from django.db.models import Max, QuerySet

from contacts.tally.models import Mark

CONTACTS, DRAWS, LEADS = "contacts", "draws", "leads"
ENDED_BEFORE = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
NOT_BEGUN = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


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

    What is new now is so at a later call, after all transactions of now have ended.
    """
    newest = newest_id(rows)
    if connection.vendor != "postgresql":
        return newest
    found = mark.up_to
    if mark.seen is not None and mark.horizon is not None:
        if _ask(ENDED_BEFORE) < mark.horizon:
            return found
        found = max(found, mark.seen)
    # After the newest was read: whoever was given a smaller id had begun by then.
    mark.seen, mark.horizon = newest, _ask(NOT_BEGUN)
    return found


def _ask(question: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return int(cursor.fetchone()[0])
