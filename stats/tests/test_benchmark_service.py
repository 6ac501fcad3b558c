"""The benchmark starts the service on a database of its own, and leaves neither behind."""

import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from django.core.management import get_commands

from crm_project.testing.service import ROOT
from stats.benchmark.own_database import PREFIX

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return (
        f"sqlite:///{tmp_path / 'named.sqlite3'}"
        if request.param == "sqlite"
        else os.environ["DATABASE_URL"]
    )


def run(url, *arguments):
    done = subprocess.run(
        [sys.executable, "manage.py", "benchmark", *arguments, "--json"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url, "CRM_DOTENV": os.devnull, "CRM_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("intake", {"POST /contacts"}),
        ("mix", {"POST /contacts", "PATCH /contacts/{id}/status", "GET /contacts", "all"}),
    ],
)
def test_what_is_answered_is_there(url, tmp_path, kind, names):
    arguments = ("--contacts", "1000", "--seconds", "2", "--connections", "4", "--sources", "2")
    found = run(url, kind, *arguments)
    rows = {row["name"]: row for row in found["rows"]}
    assert names <= set(rows)
    assert found["created"] == found["answered_201"] >= rows["POST /contacts"]["statuses"]["201"]
    assert found["waiting"] == 0
    assert found["broken"] == []
    assert {"200", "201", "503"} >= {each for row in found["rows"] for each in row["statuses"]}
    whole = found["rows"][-1]
    assert whole["count"] == sum(whole["statuses"].values())
    assert whole["p50_ms"] <= whole["p95_ms"] <= whole["p99_ms"]
    assert whole["queries"] >= 1
    assert whole["app_cpu_ms"] > 0
    assert (whole["db_cpu_ms"] is None) == url.startswith("sqlite")
    assert found["options"]["connections"] == 4
    if url.startswith("sqlite"):
        assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_every_size_is_measured_by_the_same_names(url):
    arguments = ("--sizes", "1000,2000", "--rounds", "1", "--repeats", "1", "--seconds", "1")
    found = run(url, "scale", *arguments, "--connections", "2")
    assert [each["contacts"] for each in found["rounds"]] == [1000, 2000]
    first, second = ({row["name"] for row in each["rows"]} for each in found["rounds"])
    assert first == second == {each["name"] for each in found["grown"]}
    assert {"POST /contacts", "/contacts deep", "/leads/{id}", "/stats", "/admin/"} <= first
    for each in found["grown"]:
        assert each["times"] == [each["p50_ms"][1] / each["p50_ms"][0]]


@pytest.mark.skipif("import_contacts" not in get_commands(), reason="there is no such command")
def test_every_row_of_the_file_is_imported(url):
    found = run(url, "import", "--rows", "2000", "--contacts", "1000")
    assert found["created"] == found["rows"] == 2000
    assert found["waiting"] == 0
    assert found["broken"] == []
    assert found["app_cpu_seconds"] > 0


def test_what_is_cut_is_counted_and_nobody_waits_for_it():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=hang_up)
        thread.start()
        plan = {
            "kind": "intake",
            "port": server.getsockname()[1],
            "seconds": 0.3,
            "connections": 2,
            "sources": ["one"],
            "leads": 1,
            "headers": {},
            "seed": 1,
            "mark": "x",
        }
        done = subprocess.run(
            [sys.executable, "-m", "stats.benchmark.load"],
            input=json.dumps(plan),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    found = json.loads(done.stdout)
    assert found["statuses"]["post"]["cut"] >= 2
    assert found["times"] == {}
