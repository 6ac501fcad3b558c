"""Counts everything anew."""

from typing import Any

from django.db import connection, transaction

from contacts.tally import marks
from contacts.tally.folding import keep_up
from contacts.tally.models import DrawTally

# In one statement, which sees one moment: what is closed meanwhile the triggers add.
COUNT = """
    day (start, source_id, operator_id, count) AS (
        SELECT {day}, source_id, operator_id, count(*) FROM contacts_contact
        WHERE closed_at IS NOT NULL GROUP BY 1, 2, 3
    ), month (start, source_id, operator_id, count) AS (
        SELECT {month}, source_id, operator_id, sum(count) FROM day GROUP BY 1, 2, 3
    )
    INSERT INTO contacts_contacttally (span, start, source_id, operator_id, count)
    SELECT 'day', start, source_id, operator_id, count FROM day
    UNION ALL SELECT 'month', start, source_id, operator_id, count FROM month
    UNION ALL SELECT 'ever', {never}, source_id, operator_id, sum(count) FROM month GROUP BY 3, 4
"""
EMPTY = "DELETE FROM contacts_contacttally"
STATEMENTS = {
    "postgresql": [
        f"WITH gone AS ({EMPTY}),"
        + COUNT.format(
            day="(created_at AT TIME ZONE 'UTC')::date",
            month="date_trunc('month', start)::date",
            never="NULL::date",
        )
    ],
    # On SQLite a moment is a text in UTC that begins with its day, and a day one, too.
    "sqlite": [
        EMPTY,
        "WITH "
        + COUNT.format(
            day="substr(created_at, 1, 10)", month="substr(start, 1, 8) || '01'", never="NULL"
        ),
    ],
}


def count_anew() -> None:
    """Make all tallies what they should be, while everybody goes on."""
    with transaction.atomic():
        held = [marks.lock(name) for name in (marks.CONTACTS, marks.DRAWS, marks.LEADS)]
        count_closed_contacts(connection)
        DrawTally.objects.all().delete()
        for mark in held:
            mark.up_to = mark.count = 0
            mark.save()
    keep_up(least=1)


def count_closed_contacts(connection: Any) -> None:
    """Make the tally of contacts what is closed now; in a transaction, with its triggers there, and
    with nobody who adds it up meanwhile.
    """
    with connection.cursor() as cursor:
        for statement in STATEMENTS[connection.vendor]:
            cursor.execute(statement)
