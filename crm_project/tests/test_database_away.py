"""The service while its database is away, and after."""

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.db import Error, InterfaceError, OperationalError, ProgrammingError
from django.db import InternalError as DjangoInternalError
from django.db.utils import ConnectionHandler
from django.http import UnreadablePostError

from crm_project.errors import Busy
from crm_project.faults import fault_of
from crm_project.sqlite3.base import TURNS, DatabaseWrapper
from crm_project.testing.asking import ask, ask_all, until
from crm_project.testing.postgres import Server
from crm_project.testing.service import Service

API = ["/operators", "/sources", "/contacts", "/leads", "/assignments", "/stats", "/contacts/1"]
SESSION = {"Cookie": "sessionid=0123456789abcdefghijklmnopqrstuv"}


def served(database_url, **settings):
    service = Service(database_url, workers=2, threads=4, **settings)
    service.migrate()
    service.start()
    return service


def assert_everybody_is_told(service):
    """With more requests at once than there are threads."""
    answers = ask_all([service.url + path for path in API * 2])
    assert {answer.status for answer in answers} == {503}
    assert {answer.code for answer in answers} == {"database_unavailable"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert max(answer.seconds for answer in answers) < 5
    first, ready, health = ask_all(
        [service.url + path for path in ("/", "/health/ready", "/health")]
    )
    assert (first.code, ready.code, health.status) == (*["database_unavailable"] * 2, 200)
    assert max(first.seconds, ready.seconds, health.seconds) < 5
    page = ask_page(service)
    assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "<h1>Mini-CRM</h1>" in page.text
    assert page.headers["Retry-After"]
    assert page.seconds < 5


def ask_page(service):
    """Of the back office, by somebody who is signed in, if the database only knew."""
    return ask(f"{service.url}/admin/contacts/contact/", headers=SESSION)


def works(service):
    answers = ask_all([service.url + path for path in ["/health/ready", *API[:6]] * 2])
    return {answer.status for answer in answers} == {200}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def on_postgresql(server):
    service = served(server.url())
    yield service
    service.kill()


@pytest.mark.postgres
def test_one_that_hangs_is_a_503_in_time_and_no_longer_than_it_hangs(server, on_postgresql):
    """Nobody waits for more than a sign of life and one attempt to connect."""
    service = on_postgresql
    works(service)  # so that there are connections already, of which one may expect something
    with server.frozen():
        assert_everybody_is_told(service)
    until(lambda: works(service), seconds=10)


@pytest.mark.postgres
def test_one_that_is_stopped_is_a_503_in_time_and_no_longer(server, on_postgresql):
    service = on_postgresql
    server.stop()
    try:
        assert_everybody_is_told(service)
    finally:
        server.start()
    until(lambda: works(service), seconds=10)


@pytest.mark.postgres
def test_one_that_only_reads_is_a_503_for_who_writes(server, on_postgresql):
    service = on_postgresql
    reading = "ALTER SYSTEM SET default_transaction_read_only = {}"
    with psycopg.connect(server.url(), autocommit=True) as database:
        try:
            database.execute(reading.format("on"))
            database.execute("SELECT pg_reload_conf()")
            until(lambda: not created(service), seconds=5)
            answer = ask(f"{service.url}/operators", {"name": "Анна"})
            assert (answer.status, answer.code) == (503, "database_unavailable")
            assert ask(f"{service.url}/operators").status == 200
        finally:
            database.execute("SET default_transaction_read_only = off")
            database.execute(reading.format("off"))
            database.execute("SELECT pg_reload_conf()")
    until(lambda: created(service), seconds=5)


@pytest.mark.postgres
def test_a_lock_that_is_held_is_a_503_and_a_command_says_it_in_words(server, on_postgresql):
    service = on_postgresql
    operator = ask(f"{service.url}/operators", {"name": "Анна"})
    with psycopg.connect(server.url()) as database:
        database.execute("SELECT * FROM operators_operator FOR UPDATE")
        pk = operator.text.partition(":")[2].partition(",")[0]
        answer = ask(f"{service.url}/operators/{pk}/release", {"deactivate": True})
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "busy", "1")
        assert 2.5 < answer.seconds < 5
        database.execute("LOCK TABLE contacts_contact")
        done = service.manage("distribute_waiting", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is busy" in done.stderr


@pytest.mark.postgres
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSTOP], ids=["ended", "silent"])
def test_an_inquiry_comes_by_a_connection_that_has_died_at_rest(server, on_postgresql, number):
    service = on_postgresql
    source = f"site-{number}"
    ask(f"{service.url}/sources", {"name": "Сайт", "code": source})
    until(lambda: works(service), seconds=10)
    with psycopg.connect(server.url()) as database:
        kept = database.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            " AND state = 'idle'"  # stopped at work, one would keep its locks
        ).fetchall()
        try:
            for (pid,) in kept:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            # More than there are threads, so that each meets what is left of its connection.
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(partial(inquire, service, source), range(16)))
        finally:
            for (pid,) in kept:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        assert {answer.status for answer in answers} == {201}
        assert max(answer.seconds for answer in answers) < 5
        found = database.execute(
            "SELECT count(*) FROM contacts_contact JOIN sources_source AS source"
            " ON source.id = source_id WHERE code = %s",
            [source],
        ).fetchone()
        assert found == (16,)


def inquire(service, source, number):
    inquiry = {"lead_external_id": f"lead {number}", "source_code": source}
    return ask(f"{service.url}/contacts", inquiry)


def created(service):
    return ask(f"{service.url}/operators", {"name": "Анна"}).status == 201


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    """A service, and the folder of its database."""
    folder = tmp_path_factory.mktemp("sqlite")
    service = served(f"sqlite:///{folder}/db.sqlite3")
    yield service, folder
    service.kill()


def test_a_lock_of_another_program_is_a_503_and_reading_goes_on(on_sqlite):
    service, folder = on_sqlite
    with closing(sqlite3.connect(folder / "db.sqlite3", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        answer = ask(f"{service.url}/operators", {"name": "Анна"})
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "busy", "1")
        assert answer.seconds < 6
        assert ask(f"{service.url}/operators").status == 200
    assert created(service)


def test_a_file_that_is_away_or_broken_is_a_503_and_is_not_begun_anew(on_sqlite):
    service, folder = on_sqlite
    assert created(service)
    before = count(service)
    file = folder / "db.sqlite3"
    file.rename(folder / "elsewhere")
    assert_everybody_is_told(service)
    assert not file.exists()
    file.write_bytes(b"no database" * 1000)
    assert_everybody_is_told(service)
    (folder / "elsewhere").rename(file)
    assert works(service)
    assert count(service) == before


def test_another_file_in_its_place_is_not_opened_and_leaves_the_log_alone(tmp_path):
    file, place = tmp_path / "db.sqlite3", tmp_path / "elsewhere"
    wrapper = DatabaseWrapper({"NAME": str(file), "OPTIONS": {}})
    opened = wrapper.get_new_connection(wrapper.get_connection_params())
    opened.execute("PRAGMA journal_mode=WAL")
    opened.execute("CREATE TABLE kept AS SELECT 1")
    file.rename(place)
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(sqlite3.OperationalError, match="exchanged"):
        wrapper.get_new_connection(wrapper.get_connection_params())
    place.rename(file)
    opened.close()
    with closing(wrapper.get_new_connection(wrapper.get_connection_params())) as again:
        assert again.execute("SELECT * FROM kept").fetchall() == [(1,)]


def test_a_connection_that_cannot_be_made_leaves_no_file_open(tmp_path):
    file = tmp_path / "db.sqlite3"
    file.write_bytes(b"no database" * 1000)
    options = {"init_command": "PRAGMA journal_mode=WAL"}
    wrapper = DatabaseWrapper({"NAME": str(file), "OPTIONS": options})
    with pytest.raises(sqlite3.DatabaseError) as remembered:
        wrapper.get_new_connection(wrapper.get_connection_params())
    assert remembered.value.__traceback__
    opened = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    assert str(file) not in opened


@pytest.fixture
def writer(tmp_path, django_db_blocker):
    """A connection to a file, in a process where another thread is writing."""
    options = {"transaction_mode": "IMMEDIATE", "timeout": 0.5}
    database = {"ENGINE": "crm_project.sqlite3", "NAME": tmp_path / "db", "OPTIONS": options}
    writer = ConnectionHandler({"default": database})["default"]
    TURNS[str(tmp_path / "db")].acquire()
    with django_db_blocker.unblock():
        yield writer
        writer.close()


def begin(writer):
    writer.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def test_a_thread_waits_for_its_turn_for_as_long_as_the_queue_moves(writer):
    committed = itertools.count()
    writer._written = lambda: next(committed)
    threading.Timer(1.5, TURNS[writer._path].release).start()
    begin(writer)
    assert TURNS[writer._path].locked()
    writer.rollback()
    assert not TURNS[writer._path].locked()


def test_a_thread_that_holds_the_turn_and_does_nothing_is_not_waited_for(writer):
    since = time.monotonic()
    with pytest.raises(OperationalError) as raised:
        begin(writer)
    assert isinstance(fault_of(raised.value), Busy)
    assert time.monotonic() - since < 5


@pytest.fixture
def small_disk(tmp_path):
    """A folder with little room, where we may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not mounted("-t", "tmpfs", "-o", "size=3m", "tmpfs", folder):
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def mounted(*options):
    return subprocess.run(["mount", *options], check=False, capture_output=True).returncode == 0


def test_a_disk_that_is_full_or_read_only_is_a_503_and_loses_nothing(small_disk):
    # While a file is open for writing, its disk cannot be made read-only.
    service = served(f"sqlite:///{small_disk}/db.sqlite3", CRM_CONN_MAX_AGE="0")
    try:
        assert created(service)
        fill(small_disk / "filler")
        kept = 1
        while (answer := ask(f"{service.url}/operators", {"name": "А" * 100})).status == 201:
            kept += 1
        assert (answer.status, answer.code) == (503, "database_unavailable")
        (small_disk / "filler").unlink()
        assert created(service)
        assert count(service) == kept + 1

        # Refused while a file is open for writing, as when the clock ticks.
        until(lambda: mounted("-o", "remount,ro", small_disk), seconds=10)
        answer = ask(f"{service.url}/operators", {"name": "Анна"})
        assert (answer.status, answer.code) == (503, "database_unavailable")
        assert mounted("-o", "remount,rw", small_disk)
        assert created(service)
        assert count(service) == kept + 2
    finally:
        service.kill()


def fill(file):
    try:
        with file.open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
    except OSError:
        return


def count(service):
    return json.loads(ask(f"{service.url}/operators").text)["count"]


def caused(error, cause):
    error.__cause__ = cause
    return error


def from_sqlite(kind, text, name):
    cause = kind(text)
    cause.sqlite_errorname = name
    return caused(OperationalError(text), cause)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (caused(OperationalError(), psycopg.errors.LockNotAvailable()), "busy"),
        (caused(OperationalError(), psycopg.errors.QueryCanceled()), "busy"),
        (caused(OperationalError(), psycopg.errors.DeadlockDetected()), "busy"),
        (caused(OperationalError(), psycopg.OperationalError()), "database_unavailable"),
        (caused(OperationalError(), psycopg.errors.AdminShutdown()), "database_unavailable"),
        (caused(OperationalError(), psycopg.errors.DiskFull()), "database_unavailable"),
        (InterfaceError("connection already closed"), "database_unavailable"),
        (
            caused(DjangoInternalError(), psycopg.errors.ReadOnlySqlTransaction()),
            "database_unavailable",
        ),
        (caused(ProgrammingError(), psycopg.errors.UndefinedTable()), "database_unavailable"),
        (caused(ProgrammingError(), psycopg.errors.SyntaxError()), None),
        (caused(DjangoInternalError(), psycopg.errors.InFailedSqlTransaction()), None),
        (from_sqlite(sqlite3.OperationalError, "locked", "SQLITE_BUSY_SNAPSHOT"), "busy"),
        (from_sqlite(sqlite3.OperationalError, "full", "SQLITE_FULL"), "database_unavailable"),
        (from_sqlite(sqlite3.DatabaseError, "broken", "SQLITE_CORRUPT"), "database_unavailable"),
        (
            from_sqlite(sqlite3.OperationalError, "no such table: a", "SQLITE_ERROR"),
            "database_unavailable",
        ),
        (from_sqlite(sqlite3.OperationalError, "near SELECT: syntax", "SQLITE_ERROR"), None),
        (from_sqlite(sqlite3.IntegrityError, "UNIQUE", "SQLITE_CONSTRAINT_UNIQUE"), None),
        (Error(), None),
        (ValueError(), None),
        (UnreadablePostError("the client is too slow"), "request_timeout"),
    ],
)
def test_what_an_error_means(error, code):
    assert getattr(fault_of(error), "default_code", None) == code


class Broken:
    """A middleware that asks a database which is away."""

    def __init__(self, get_response):
        pass

    def __call__(self, request):
        raise OperationalError("gone, with password=secret")


@pytest.mark.parametrize("path", ["/operators", "/", "/admin/", "/nowhere"])
def test_an_error_in_a_middleware_is_a_503_too(client, settings, path, caplog):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Broken"]
    client.raise_request_exception = False
    response = client.get(path)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"].startswith("text/html" if "admin" in path else "application/")
    assert "secret" not in response.content.decode()
    (line,) = [each for each in caplog.records if each.name == "crm_project.faults"]
    assert line.exc_info is None


def test_a_command_says_in_one_line_that_the_database_is_away(tmp_path):
    service = Service("postgresql://crm@127.0.0.1:1/crm")
    done = service.manage("tick", check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "127.0.0.1:1" in done.stderr
