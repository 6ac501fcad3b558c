"""New leads, many at once, without the ORM."""

import json
from collections.abc import Sequence
from operator import attrgetter

from django.db import connection

from crm_project.copying import MANY, moment
from leads.models import Lead

COLUMNS = ["external_id", "name", "phone", "email", "phone_e164", "email_key", "created_at"]
TEXTS = attrgetter(*COLUMNS[:-1])


def make_missing(leads: Sequence[Lead]) -> dict[str, Lead]:
    """Write those whose external ids nobody has, in this order; return the ones that are certain
    to be new, which are ours alone until we commit, by these ids.

    Of two that make the same lead at once, the second waits for the first and makes none. Of few,
    none is certain.
    """
    # Conflicts are ignored rather than caught: an error would spoil the whole transaction.
    if len(leads) < MANY:
        Lead.objects.bulk_create(leads, ignore_conflicts=True)
        return {}
    now = moment(leads[0].created_at)
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            marks = ", ".join(["%s"] * len(COLUMNS))
            statement = f"INSERT OR IGNORE INTO leads_lead ({names}) VALUES ({marks})"  # noqa: S608  # nosec B608  # names of our own
            cursor.executemany(statement, [(*TEXTS(each), now) for each in leads])
            return {}
        cursor.execute(
            f"INSERT INTO leads_lead ({names})"  # noqa: S608  # nosec B608  # names of our own
            " SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5,"
            " %s::timestamptz FROM json_array_elements(%s::json) AS row"
            " ON CONFLICT (external_id) DO NOTHING RETURNING external_id, id",
            [now, json.dumps([TEXTS(each) for each in leads], ensure_ascii=False)],
        )
        ids = dict(cursor.fetchall())
    made = {each.external_id: each for each in leads if each.external_id in ids}
    for external_id, lead in made.items():
        lead.pk = ids[external_id]
        lead._state.adding = False
    return made
