"""Channels deliver all at once to a whole server: one contact for each conversation, and each
event once.

STORM_DELIVERIES says how many deliveries (600 by default).
"""

import os

import psycopg
import pytest

from crm_project.testing.deliveries import SET_UP, storm
from crm_project.testing.postgres import Server
from crm_project.testing.service import Service

DELIVERIES = int(os.environ.get("STORM_DELIVERIES", "600"))

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(DELIVERIES / 10 + 120)]


def test_each_conversation_is_one_contact_and_each_event_is_there_once(tmp_path):
    with Server() as server:
        service = Service(
            server.url(),
            workers=4,
            threads=4,
            CRM_REQUESTS_PER_MINUTE_ADDRESS="20",
            CRM_COUNTERS_FILE=f"{tmp_path}/counters.sqlite3",
        )
        service.migrate()
        service.manage("shell", "-v0", "-c", SET_UP)
        service.start()
        try:
            report = storm(service.port, DELIVERIES)
        finally:
            service.kill()
        report.show()
        verdict = service.manage("check_invariants", "--records=1000000", check=False)
        with psycopg.connect(server.url()) as database:
            said = database.execute(
                "SELECT message FROM contacts_contact UNION ALL SELECT text FROM contacts_message"
            ).fetchall()
            ((contacts,),) = database.execute("SELECT count(*) FROM contacts_contact").fetchall()
        log = (server.folder / "log").read_text(errors="replace")
    assert set(report.genuine) <= {200, 503}
    assert report.genuine[200] == report.deliveries
    # More of them than an address may send, while all that is genuine gets through.
    assert set(report.forged) == {403, 429}
    assert contacts == report.conversations
    assert sorted(text for (text,) in said) == sorted(each.text for each in report.events)
    assert verdict.returncode == 0, verdict.stdout
    assert "deadlock" not in log
