"""Counts everything anew, and finds where the tallies say something else."""

from typing import Any

from django.db import connection

from contacts.tally import marks
from contacts.tally.folding import keep_up
from contacts.tally.models import DrawTally, Mark
from crm_project.moments import one_moment_to_write_at

CLOSED = """
    INSERT INTO contacts_contacttally (span, start, source_id, operator_id, count)
    SELECT 'day', {day}, source_id, operator_id, count(*)
    FROM contacts_contact WHERE closed_at IS NOT NULL GROUP BY 2, 3, 4
"""
SUMS = """
    INSERT INTO contacts_contacttally (span, start, source_id, operator_id, count)
    SELECT '{span}', {start}, source_id, operator_id, sum(count)
    FROM contacts_contacttally WHERE span = '{parts}' GROUP BY 2, 3, 4
"""
# On SQLite a moment is a text in UTC that begins with its day, and a day one, too.
DAY = {"postgresql": "(created_at AT TIME ZONE 'UTC')::date", "sqlite": "substr(created_at, 1, 10)"}
MONTH = {"postgresql": "date_trunc('month', start)::date", "sqlite": "substr(start, 1, 8) || '01'"}
NEVER = {"postgresql": "NULL::date", "sqlite": "NULL"}


def count_anew() -> None:
    """Make all tallies what they should be, while everybody goes on."""
    with one_moment_to_write_at():
        # Before the first look, which is that of the moment.
        if connection.vendor == "postgresql":
            _run("LOCK TABLE contacts_mark IN EXCLUSIVE MODE")
        count_closed_contacts(connection)
        DrawTally.objects.all().delete()
        Mark.objects.filter(name__in=[marks.DRAWS, marks.LEADS]).update(up_to=0, count=0)
    keep_up(least=1)


def count_closed_contacts(connection: Any) -> None:
    """Fill the tally of contacts with what is closed as of the transaction's moment.

    What is closed afterwards the triggers add, which must be there before.
    """
    vendor = connection.vendor
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM contacts_contacttally")
        cursor.execute(CLOSED.format(day=DAY[vendor]))
        cursor.execute(SUMS.format(span="month", start=MONTH[vendor], parts="day"))
        cursor.execute(SUMS.format(span="ever", start=NEVER[vendor], parts="month"))


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
