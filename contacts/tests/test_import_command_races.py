"""`manage.py import_contacts` beside others, beside itself, and killed amid its work."""

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from contacts import importing
from contacts.import_files import Row
from contacts.importing import import_all
from contacts.invariants import check_all
from contacts.management.commands.import_contacts import STOPPED
from contacts.models import OPEN, Contact, ImportedRow
from contacts.services import Inquiry, change_status, create_contact
from crm_project.actor import Actor
from crm_project.testing.postgres import Server
from crm_project.testing.service import ROOT, Service
from crm_project.testing.threads import at_once
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.services import delete_source
from sources.tests.factories import AssignmentFactory, SourceFactory

ME = Actor("command", "test")


def rows(count, *, prefix="", leads=1000):
    return [
        Row(
            n,
            f"{prefix}{n}",
            {"lead_external_id": f"lead:{n % leads}", "source_code": f"s{n % 3}"},
            {},
        )
        for n in range(count)
    ]


@pytest.fixture
def firm():
    """Three sources that share four operators, with 120 places in all."""
    sources = [SourceFactory(code=f"s{n}") for n in range(3)]
    for n in range(4):
        operator = OperatorFactory(max_active_contacts=30)
        for source in sources[n % 2 :]:
            AssignmentFactory(source=source, operator=operator, weight=1 + n)
    return sources


def assert_nothing_is_broken():
    assert [each for each in check_all(records=10_000, pause=lambda: None) if each.breaches] == []
    held = Contact.objects.filter(OPEN, operator__isnull=False)
    for operator in set(held.values_list("operator", flat=True)):
        assert held.filter(operator=operator).count() <= 30


def counted(found):
    total = importing.Counter()
    for each in found:
        total += each.outcomes
    return dict(total)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_who_import_the_same_rows_at_once_make_each_once(firm, monkeypatch):
    monkeypatch.setattr(importing, "LEAST", 20)
    results, errors = at_once([lambda: counted(import_all(rows(400), actor=ME))] * 3, 3)
    assert errors == []
    assert Contact.objects.count() == ImportedRow.objects.count() == 400
    assert sum(each.get("known", 0) for each in results) == 800
    assert_nothing_is_broken()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_the_keys_they_would_make_them_twice(firm, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    monkeypatch.setattr(importing, "claim", set)
    _, errors = at_once([lambda: counted(import_all(rows(60), actor=ME))] * 2, 2)
    assert errors == []
    assert Contact.objects.count() == 120


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leads", [3, 1000])
@pytest.mark.parametrize("helped", [False, True])
@pytest.mark.usefixtures("patient")
def test_beside_those_who_write_and_those_who_close(firm, monkeypatch, leads, helped):
    monkeypatch.setattr(importing, "LEAST", 30)
    monkeypatch.setattr(importing, "FEW", 0 if helped else 1000)
    calls = [lambda: counted(import_all(rows(600, leads=leads), actor=ME))]

    def write_and_close(name):
        for n in range(25):
            contact, _ = create_contact(Inquiry(firm[n % 3], f"lead:{n % leads}"))
            change_status(contact.pk, status="closed")
            create_contact(Inquiry(firm[n % 3], f"{name}:{n}"))

    calls += [lambda name=name: write_and_close(name) for name in "abc"]
    results, errors = at_once(calls, 4)
    assert errors == []
    assert results[0]["assigned"] + results[0]["waiting"] == 600
    assert Contact.objects.count() == 600 + 3 * 50
    assert_nothing_is_broken()


@pytest.mark.django_db(transaction=True)
def test_a_source_deleted_since_it_was_read_refuses_its_rows_alone(firm, monkeypatch):
    original, read = importing.read_inquiries, []

    def read_inquiries(items):
        found = original(items)
        if not read:
            delete_source(Source.objects.get(code="s0"))
        read.append(True)
        return found

    monkeypatch.setattr(importing, "read_inquiries", read_inquiries)
    outcomes = counted(import_all(rows(9), actor=ME))
    assert (outcomes["assigned"], outcomes["refused"]) == (6, 3)


def write_file(path, count):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "lead_external_id", "source_code"])
        writer.writerows([n, f"lead:{n // 3}", "tg"] for n in range(count))


def start(service, path):
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_contacts", str(path)],
        cwd=ROOT,
        env=service.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_once_there_are(count, process, contacts, kill):
    for _ in range(600):
        if contacts() > count:
            break
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.02)
    kill(process)
    process.wait()


def all_of_them(process):
    os.killpg(process.pid, signal.SIGKILL)


def killed_and_resumed(service, path, contacts, *, new=12_000, kills=(all_of_them,) * 2):
    """Before each kill the file has so many rows that are new."""
    service.migrate()
    service.manage("shell", "-c", MAKE_A_FIRM)
    for kill in kills:
        before = contacts()
        rows = before + new
        write_file(path, rows)
        kill_once_there_are(before, start(service, path), contacts, kill)
        assert contacts() < rows
    ended = service.manage("import_contacts", str(path))
    assert "there already" in ended.stdout
    assert contacts() == rows
    verdict = service.manage("check_invariants", "--records=1000000", check=False)
    assert verdict.returncode == 0, verdict.stdout


MAKE_A_FIRM = """
from operators.models import Operator
from sources.models import Source, Assignment
source = Source.objects.create(name="tg", code="tg")
for n in range(3):
    operator = Operator.objects.create(name="Анна", max_active_contacts=2000)
    Assignment.objects.create(source=source, operator=operator)
"""
COUNTS = """
SELECT (SELECT count(*) FROM contacts_contact), (SELECT count(*) FROM contacts_importedrow),
(SELECT count(*) FROM contacts_decisionrecord),
(SELECT count(*) FROM contacts_contact WHERE operator_id > 0)
"""


def whole(counts):
    """How many contacts there are, each with its key and its decision."""
    contacts, keys, decisions, assigned = counts
    assert contacts == keys == decisions
    assert assigned == min(contacts, 6000)
    return contacts


@pytest.mark.once
def test_a_run_that_is_killed_goes_on_on_sqlite(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/db.sqlite3")

    def contacts():
        database = sqlite3.connect(tmp_path / "db.sqlite3", timeout=20)
        try:
            return whole(database.execute(COUNTS).fetchone())
        finally:
            database.close()

    killed_and_resumed(service, tmp_path / "rows.csv", contacts)


@pytest.fixture
def at_a_terminal():
    """Whom we start listens to Ctrl-C, also where we run in the background and do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.postgres
@pytest.mark.usefixtures("at_a_terminal")
def test_a_run_that_is_killed_goes_on_on_postgresql(tmp_path):
    with Server(durable=True) as server:

        def asked(statement):
            with psycopg.connect(server.url()) as database:
                return database.execute(statement).fetchone()

        def it_alone(process):
            process.kill()
            deadline = time.monotonic() + 10
            while asked(OTHERS) != (0,):
                assert time.monotonic() < deadline, "those who helped go on"
                time.sleep(0.1)

        def one_that_helps(process):
            os.kill(helpers_of(process)[0], signal.SIGKILL)
            assert process.wait(20) == 1

        def by_ctrl_c(process):
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(20) == STOPPED

        killed_and_resumed(
            Service(server.url()),
            tmp_path / "rows.csv",
            lambda: whole(asked(COUNTS)),
            # Many more than are imported before it is killed, or by Ctrl-C comes to its end.
            new=3 * importing.FEW,
            kills=[all_of_them, it_alone, one_that_helps, by_ctrl_c],
        )


OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def helpers_of(process):
    """Its processes, but for the one of Python's own."""
    children = psutil.Process(process.pid).children()
    return [each.pid for each in children if any("spawn_main" in part for part in each.cmdline())]
