"""The running service needs no other program for what time brings about."""

import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from contacts.tests.test_kill import call
from crm_project.testing.service import Service

LONG_AGO, FAR_OFF = "2020-01-01 00:00:00", "2120-01-01 00:00:00"


@pytest.fixture
def service(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/db.sqlite3")
    service.migrate()
    service.start()
    yield service
    if service.process.poll() is None:
        service.kill()


def test_what_waits_goes_out_without_a_request_and_the_service_ends_when_told(service, tmp_path):
    source = call(f"{service.url}/sources", {"name": "Телеграм", "code": "tg"})
    anna = call(f"{service.url}/operators", {"name": "Анна"})
    with closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as database:
        shift = "UPDATE operators_operator SET shift_starts_at = ?, shift_ends_at = ?"
        database.execute(shift, [FAR_OFF, None])
        pair = {"operator_id": anna["id"], "source_id": source["id"]}
        call(f"{service.url}/assignments", pair)
        body = {"lead_external_id": "lead:1", "source_code": "tg"}
        assert call(f"{service.url}/contacts", body)["operator_id"] is None

        os.kill(service.process.pid, signal.SIGTERM)
        assert service.process.wait(15) == 0
        # A shift that ended while nobody looked; she has kept no hours since.
        database.execute(shift, [None, LONG_AGO])
        service.start()

        deadline = time.monotonic() + 20
        answered = "SELECT count(*) FROM contacts_contact WHERE operator_id IS NOT NULL"
        while not database.execute(answered).fetchone()[0]:
            assert time.monotonic() < deadline, "nobody got it"
            time.sleep(0.1)
        os.kill(service.process.pid, signal.SIGTERM)
        assert service.process.wait(15) == 0
