"""What was answered 201 survives a `kill -9` of the service and of the database.

KILL_ROUNDS says how often (a few times by default, more often in continuous integration).
"""

import http.client
import json
import os
import sqlite3
import threading
import time
import urllib.request

import psycopg
import pytest
from django.db import connection

from crm_project.testing.postgres import Server
from crm_project.testing.service import Service

ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))

pytestmark = pytest.mark.timeout(60 + 90 * ROUNDS)


def call(url, body):
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def create_until_it_dies(url, prefix, acknowledged):
    number = 0
    while True:
        number += 1
        try:
            body = {"lead_external_id": f"{prefix}:{number}", "source_code": "tg"}
            acknowledged.append(call(f"{url}/contacts", body)["id"])
        except (OSError, http.client.HTTPException):
            return


def killed_amid_creates(service, kill, attempt=0):
    """Ids of the contacts that were acknowledged before the end."""
    acknowledged = []
    threads = [
        threading.Thread(
            target=create_until_it_dies, args=(service.url, f"{name}{attempt}", acknowledged)
        )
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while not acknowledged and time.monotonic() < deadline:
        time.sleep(0.01)
    threads[0].join(0.7)
    kill()
    for thread in threads:
        thread.join()
    return acknowledged


def set_up(service):
    service.migrate()
    service.start()
    source = call(f"{service.url}/sources", {"name": "Телеграм", "code": "tg"})
    for _ in range(3):
        operator = call(f"{service.url}/operators", {"name": "Анна", "max_active_contacts": 20})
        pair = {"operator_id": operator["id"], "source_id": source["id"]}
        call(f"{service.url}/assignments", pair)


def assert_the_books_are_right(rows, acknowledged):
    """rows: contact id, operator id, lead id."""
    assert acknowledged
    assert set(acknowledged) <= {pk for pk, _, _ in rows}
    assert len(set(acknowledged)) == len(acknowledged)
    assert len({lead for _, _, lead in rows}) == len(rows)
    loads = [operator for _, operator, _ in rows if operator is not None]
    assert all(loads.count(operator) <= 20 for operator in set(loads))
    if len(rows) >= 60:
        assert len(loads) == 60


def assert_every_decision_is_on_record(service):
    verdict = service.manage("check_invariants", "--records=1000000", check=False)
    assert verdict.returncode == 0, verdict.stdout


QUERY = "SELECT id, operator_id, lead_id FROM contacts_contact"


@pytest.mark.once
def test_on_sqlite(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/db.sqlite3")
    set_up(service)
    acknowledged = []
    for number in range(ROUNDS):
        acknowledged += killed_amid_creates(service, service.kill, number)
        service.start()
    service.kill()
    assert_every_decision_is_on_record(service)
    rows = sqlite3.connect(tmp_path / "db.sqlite3").execute(QUERY).fetchall()
    assert_the_books_are_right(rows, acknowledged)


@pytest.mark.postgres
def test_on_postgresql_that_is_killed_too():
    assert connection.vendor == "postgresql"
    with Server(durable=True) as server:
        service = Service(server.url())
        set_up(service)
        acknowledged = []
        for number in range(ROUNDS - 1):
            acknowledged += killed_amid_creates(service, service.kill, number)
            service.start()

        def kill_the_database():
            server.kill()
            service.kill()

        acknowledged += killed_amid_creates(service, kill_the_database, ROUNDS)
        server.start()
        assert_every_decision_is_on_record(service)
        with psycopg.connect(server.url()) as database:
            rows = database.execute(QUERY).fetchall()
    assert_the_books_are_right(rows, acknowledged)
