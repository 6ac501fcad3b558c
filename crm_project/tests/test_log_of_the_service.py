"""The running service: its output in production, and what its workers count together."""

import http.client
import json
import logging
import os
import shutil
import signal
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from crm_project.gunicorn_log import Log
from crm_project.testing.service import Service, written

pytestmark = pytest.mark.once

PHONE = "79001234567"
TOKEN = "a token of the settings"
# What a proxy that ends TLS says.
PROXIED = {"X-Forwarded-Proto": "https", "Accept-Language": "en"}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A database to be copied: migrations take their time."""
    path = tmp_path_factory.mktemp("migrated") / "db.sqlite3"
    Service(f"sqlite:///{path}").migrate()
    return path


@pytest.fixture
def service(tmp_path, migrated):
    shutil.copy(migrated, tmp_path)
    service = Service(f"sqlite:///{tmp_path}/db.sqlite3")
    yield service
    if service.process.poll() is None:
        service.kill()


def ask(service, path, body=None, **headers):
    """Status, body and headers of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    with closing(connection):
        if body is None:
            connection.request("GET", path, headers=headers)
        else:
            json_type = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), json_type | headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers


def send_raw(service, text):
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connected:
        connected.sendall(text.encode())
        return connected.recv(100)


def metrics_folders(service):
    shared = Path("/dev/shm")  # noqa: S108  # only looked at
    return list(shared.glob(f"mini-crm-metrics-{service.process.pid}-*"))


def test_gunicorn_writes_a_line_of_its_own_where_one_is_asked_for(service, tmp_path):
    file = tmp_path / "access.log"
    service.environment["GUNICORN_CMD_ARGS"] = f"--access-logfile {file}"
    service.start()
    ask(service, "/health")
    service.kill()
    assert '"GET /health HTTP/1.1" 200' in file.read_text()


def test_and_puts_none_together_where_nobody_does():
    # Without `__init__`, which changes loggers that all tests share.
    log = Log.__new__(Log)
    log.access_log, log._access_log_enabled = logging.Logger("nobody's"), True
    log.atoms = None
    log.access(None, None, {}, None)


def test_in_production_each_line_is_json_and_none_quotes_a_request(service):
    service.environment |= {
        "CRM_PRODUCTION": "true",
        "CRM_ALLOWED_HOSTS": "127.0.0.1",
        "CRM_BEHIND_TLS_PROXY": "true",
        "CRM_METRICS_TOKEN": TOKEN,
        "PYTHONWARNINGS": "ignore",  # that nobody has collected the static files
    }
    service.start()
    status, _body, headers = ask(service, f"/leads?phone={PHONE}", **PROXIED)
    assert (status, len(headers["X-Request-ID"])) == (401, 32)
    ask(service, f"/{PHONE}", **PROXIED, Host=f"{PHONE}.example")
    ask(service, f"/leads?phone={PHONE}")  # to be sent to HTTPS
    assert send_raw(service, f"GET /leads?phone={PHONE} HTTP/9.9\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert ask(service, "/metrics", **PROXIED, Authorization=f"Bearer {TOKEN}")[0] == 200
    os.kill(service.process.pid, signal.SIGTERM)
    assert service.process.wait(20) == 0

    output = written(service.output)
    lines = [json.loads(line) for line in output.splitlines()]
    assert PHONE not in output
    requests = [each for each in lines if each["message"] == "request"]
    assert [(each["route"], each["status"]) for each in requests] == [
        ("leads", 401),
        ("other", 400),
        ("leads", 301),
        ("metrics", 200),
    ]
    assert requests[0]["request_id"] == headers["X-Request-ID"]
    (refused,) = (each for each in lines if each["message"] == "A request was refused")
    assert (len(refused["request_id"]), refused["status"]) == (32, 400)


def test_the_workers_count_together_and_leave_nothing_behind(service):
    service.start()
    ask(service, "/sources", {"name": "Телеграм", "code": "tg"})
    body = {"lead_external_id": "lead:1", "source_code": "tg"}

    def create():
        for _ in range(5):
            assert ask(service, "/contacts", body)[0] == 201

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(10):  # whichever of the workers answers
        found = ask(service, "/metrics")[1]
        assert 'crm_requests_total{method="POST",route="contacts",status="201"} 40.0' in found
        assert 'crm_decisions_total{outcome="waiting",source="tg"} 40.0' in found
        assert 'crm_waiting_contacts{source="tg"} 40.0' in found

    (folder,) = metrics_folders(service)
    os.kill(service.process.pid, signal.SIGHUP)
    deadline = time.monotonic() + 30
    while len(list(folder.glob("counter_*.db"))) < 3:  # one of the new workers has answered
        assert time.monotonic() < deadline, "no new worker answers"
        assert 'route="contacts",status="201"} 40.0' in ask(service, "/metrics")[1]
    os.kill(service.process.pid, signal.SIGTERM)
    assert service.process.wait(20) == 0
    assert metrics_folders(service) == []
