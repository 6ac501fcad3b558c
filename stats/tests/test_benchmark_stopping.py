"""The benchmark ends what it has started, whenever and however it is told to end."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import psutil
import psycopg
import pytest
from django.core.management import CommandError

from crm_project.testing.service import ROOT
from stats.benchmark.children import child
from stats.benchmark.own_database import PREFIX
from stats.benchmark.stopping import StoppedError, stoppable, unstopped
from stats.management.commands.benchmark import Command

SLEEP = ["-c", "import time; time.sleep(600)"]


@pytest.fixture
def url(engine, tmp_path):
    return (
        f"sqlite:///{tmp_path / 'named.sqlite3'}"
        if engine == "sqlite"
        else os.environ["DATABASE_URL"]
    )


class Begun:
    """A benchmark that would take ten minutes, with SIGINT ignored as a shell's background has it;
    `own`: the database that it has made.
    """

    def __init__(self, url, *arguments):
        self.url = url
        self.process = subprocess.Popen(
            [
                *("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"),
                *(sys.executable, "manage.py", "benchmark", "intake"),
                *("--seconds", "600", "--connections", "2", *arguments),
            ],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url, "CRM_DOTENV": os.devnull, "CRM_WORKERS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.benchmark = psutil.Process(self.process.pid)

    def children(self, count):
        """Wait for so many: the service, then the load, which may have come meanwhile."""
        until = time.monotonic() + 120
        while len(found := self.benchmark.children()) < count and time.monotonic() < until:
            time.sleep(0.05)
        assert count <= len(found) <= 2
        self.look()

    def says(self, what):
        assert any(line.startswith(what) for line in self.process.stderr)
        self.look()

    def look(self):
        self.family = self.benchmark.children(recursive=True)
        if self.url.startswith("sqlite"):
            folder = Path(self.url.removeprefix("sqlite:///")).parent
            (self.own,) = folder.glob(f"{PREFIX}*")
            return
        ports = [each.laddr.port for each in self.benchmark.net_connections()]
        statement = "SELECT datname FROM pg_stat_activity WHERE client_port = ANY(%s)"
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            (self.own,) = connection.execute(statement, [ports]).fetchone()
        assert self.own.startswith(PREFIX)

    def is_gone(self):
        if self.url.startswith("sqlite"):
            return not self.own.exists()
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            statement = "SELECT FROM pg_database WHERE datname = %s"
            return connection.execute(statement, [self.own]).fetchone() is None


WHEN = {
    "filling": (["--contacts", "300000"], lambda begun: begun.says("contacts:")),
    "starting": (["--contacts", "1000"], lambda begun: begun.children(1)),
    "loading": (["--contacts", "1000"], lambda begun: begun.children(2)),
}


@pytest.mark.once
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("engine", "when", "numbers"),
    [
        ("sqlite", "filling", [signal.SIGTERM]),
        ("postgresql", "filling", [signal.SIGTERM]),
        ("postgresql", "starting", [signal.SIGTERM, signal.SIGINT]),
        ("sqlite", "loading", [signal.SIGINT]),
        ("postgresql", "loading", [signal.SIGINT]),
    ],
)
def test_it_ends_what_it_started_when_it_is_told_to_end(url, when, numbers):
    arguments, wait = WHEN[when]
    begun = Begun(url, *arguments)
    with begun.process as process:
        wait(begun)
        for number in numbers:
            process.send_signal(number)
        _, error = process.communicate(timeout=60)
    assert process.returncode in [128 + number for number in numbers], error
    assert "Interrupted." in error
    assert "Traceback" not in error
    assert psutil.wait_procs(begun.family, timeout=5)[1] == []
    assert begun.is_gone()


@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_terminal_ends_it_unless_nohup_says_no(ignored):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with nullcontext() if ignored else pytest.raises(StoppedError), stoppable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_process_that_is_just_starting_is_ended_too(monkeypatch):
    started, popen = [], subprocess.Popen

    def interrupted(*args, **options):
        # As late as it could come before anybody knows of the process.
        started.append(popen(*args, **options))
        signal.raise_signal(signal.SIGTERM)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(StoppedError), stoppable(), child(SLEEP):
        pytest.fail("it went on")
    assert started[0].poll() is not None


def test_what_does_not_want_to_end_is_killed_with_its_children():
    stubborn = (
        "import signal, subprocess, sys, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen([sys.executable, *{SLEEP!r}]);"
        "print(flush=True); time.sleep(600)"
    )
    with child(["-c", stubborn], patience=0.5, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        family = psutil.Process(process.pid).children()
    assert process.returncode == -signal.SIGKILL
    assert len(family) == 1
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_the_first_signal_waits_for_the_end_of_the_block_and_the_handlers_come_back():
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    passed = []

    def hold():
        with unstopped():
            with unstopped():
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGINT)
            passed.append("the inner block")

    with pytest.raises(StoppedError) as stopped, stoppable():
        hold()
    assert passed
    assert stopped.value.number == signal.SIGTERM
    after = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def test_the_command_says_by_which_signal_it_ended(monkeypatch):
    monkeypatch.setattr(Command, "read", lambda self: signal.raise_signal(signal.SIGINT))
    with pytest.raises(CommandError, match="Interrupted") as error:
        Command().handle(what="lists", json=None)
    assert error.value.returncode == 130
