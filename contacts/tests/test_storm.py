"""A storm through real HTTP: whatever people do, 32 clients at once, against a whole server.

STORM_SECONDS says how long (a few by default, more in continuous integration).
"""

import os

import psycopg
import pytest

from crm_project.testing.functions import GIVE, UNLOCKED, changed, slow
from crm_project.testing.postgres import Server
from crm_project.testing.service import Service
from crm_project.testing.storm import LEADS, storm

SECONDS = float(os.environ.get("STORM_SECONDS", "8"))

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(SECONDS * 4 + 120)]


@pytest.fixture
def server():
    with Server() as server:
        yield server


def storm_on(server, seconds, *, application="crm_project.wsgi", everything=True):
    """What the clients saw, and what `check_invariants` says of what they left."""
    service = Service(server.url(), workers=4, threads=4, application=application)
    service.migrate()
    if application != "crm_project.wsgi":
        with psycopg.connect(server.url()) as database:
            ((definition,),) = database.execute(
                "SELECT pg_get_functiondef(%s::regproc)", [GIVE]
            ).fetchall()
            database.execute(changed(definition, slow(0.05), UNLOCKED))
    service.start()
    try:
        report = storm(service.port, seconds, everything=everything)
    finally:
        service.kill()
    report.show()
    return report, service.manage("check_invariants", "--records=1000000", check=False)


def ask(server, query):
    with psycopg.connect(server.url()) as database:
        return database.execute(query).fetchall()


def ever_above_the_limit(server):
    """Contacts that came to an operator who had as many as the limit at that moment."""
    return ask(
        server,
        "SELECT mine.id FROM contacts_contact mine"
        " JOIN operators_operator o ON o.id = mine.operator_id"
        " JOIN contacts_contact c ON c.operator_id = o.id AND c.assigned_at <= mine.assigned_at"
        " AND (c.closed_at IS NULL OR c.closed_at > mine.assigned_at)"
        " GROUP BY mine.id, o.max_active_contacts HAVING count(*) > o.max_active_contacts",
    )


def test_nothing_breaks_and_nothing_is_lost(server):
    report, verdict = storm_on(server, SECONDS)
    assert report.faults == []
    assert report.share_of_busy < 0.02
    assert "deadlock" not in (server.folder / "log").read_text(errors="replace")
    assert verdict.returncode == 0, verdict.stdout
    assert [ids for ids in report.keyed.values() if len(ids) > 1] == []
    acknowledged = report.created + [pk for ids in report.keyed.values() for pk in ids]
    assert acknowledged
    # Each of them once, and nothing that nobody was told of.
    rows = ask(server, "SELECT id FROM contacts_contact ORDER BY id")
    assert sorted(acknowledged) == [pk for (pk,) in rows]
    ((leads, different),) = ask(
        server, "SELECT count(*), count(DISTINCT external_id) FROM leads_lead"
    )
    assert leads == different <= LEADS


def test_arrivals_and_closes_keep_every_limit(server):
    report, verdict = storm_on(server, 5, everything=False)
    assert report.faults == []
    assert (verdict.returncode, ever_above_the_limit(server)) == (0, [])


def test_without_the_locks_of_arrivals_they_would_not(server):
    # Guards the test above: if this one fails, that one proves nothing.
    unlocked = "crm_project.testing.unlocked_wsgi"
    storm_on(server, 5, application=unlocked, everything=False)
    assert ever_above_the_limit(server)
