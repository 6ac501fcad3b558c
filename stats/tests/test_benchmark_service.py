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
from stats.benchmark.comparing import variants
from stats.benchmark.load import Load
from stats.benchmark.own_database import PREFIX

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]
PLAN = {
    "kind": "intake",
    "port": 0,
    "seconds": 0.3,
    "requests": None,
    "connections": 2,
    "sources": ["one"],
    "leads": 1,
    "headers": {},
    "seed": 1,
    "mark": "x",
}


@pytest.fixture
def url():
    """SQLite is measured where intakes are compared."""
    return os.environ["DATABASE_URL"]


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


def check(found, engine):
    """What every measurement of arrivals holds to."""
    assert found["created"] == found["answered_201"] > 0
    assert found["waiting"] == 0
    assert found["broken"] == []
    assert {"200", "201", "503"} >= {each for row in found["rows"] for each in row["statuses"]}
    whole = found["rows"][-1]
    assert whole["count"] == sum(whole["statuses"].values())
    assert whole["p50_ms"] <= whole["p95_ms"] <= whole["p99_ms"]
    assert whole["queries"] >= 1
    assert whole["app_cpu_ms"] > 0
    assert (whole["db_cpu_ms"] is None) == (engine == "sqlite")
    # After it has warmed up, and after each tenth.
    assert [len(held) for held in found["memory_mb"]] == [11]
    assert min(found["memory_mb"][0]) > 10


def test_all_that_goes_on_is_measured_together(url):
    arguments = ("--contacts", "1000", "--seconds", "2", "--connections", "4", "--sources", "2")
    found = run(url, "mix", *arguments)
    check(found, url.partition(":")[0])
    names = {row["name"] for row in found["rows"]}
    assert {"POST /contacts", "PATCH /contacts/{id}/status", "GET /contacts", "all"} <= names
    assert found["options"]["connections"] == 4


def test_intakes_are_compared_in_turns(url, tmp_path):
    against = f"sqlite:///{tmp_path / 'named.sqlite3'}"
    found = run(
        *(url, "intake", "--against", against, "--rounds", "1"),
        *("--contacts", "1000", "--requests", "50", "--seconds", "1"),
    )
    names = ["postgresql, 1 source", "sqlite, 1 source"]
    assert [each["name"] for each in found["rounds"]] == names
    for each in found["rounds"]:
        check(each, each["name"].partition(",")[0])
        (row,) = each["rows"]
        assert row["count"] == row["statuses"]["201"] == 50
    assert [each["name"] for each in found["medians"]] == names
    first, second = (each["per_second"] for each in found["medians"])
    assert found["times"] == [second / first]
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_each_number_of_sources_is_compared_on_each_database():
    compared = variants([1, 10], "sqlite:///one.sqlite3")
    assert [(each.sources, each.database_url) for each in compared] == [
        *((1, None), (10, None)),
        *((1, "sqlite:///one.sqlite3"), (10, "sqlite:///one.sqlite3")),
    ]
    assert compared[3].name == "sqlite, 10 sources"


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


def test_each_tenth_is_told_where_several_end_with_one_answer(capsys):
    load = Load(PLAN | {"requests": 4})
    for _ in range(4):
        load.count()
    told = [json.loads(line)["tenths"] for line in capsys.readouterr().out.splitlines()]
    assert told == [*range(1, 11)]


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
        plan = PLAN | {"port": server.getsockname()[1]}
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
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["statuses"]["post"]["cut"] >= 2
    assert found["times"] == {}
