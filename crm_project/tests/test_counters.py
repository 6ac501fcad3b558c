"""Counts are exact, whoever counts at once; where that is impossible everything passes."""

import itertools
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest
import time_machine
from django.conf import settings as django_settings

from crm_project.counters import KEPT, PRUNE_EVERY, Counters, Limit
from crm_project.testing.asking import until
from crm_project.testing.threads import at_once

FIXED, SLIDING = Limit(3, 60, slides=False), Limit(6, 60)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counters.sqlite3"


@pytest.fixture
def counters(path):
    return Counters(path, "secret")


@pytest.fixture
def clock():
    with time_machine.travel("2026-11-26 12:00:00Z", tick=False) as clock:
        yield clock


def passes(counters, limit, name="a"):
    return not counters.count({name: limit})[name].wait


def passed(counters, limit, times, name="a"):
    return sum(passes(counters, limit, name) for _ in range(times))


def counting(*arguments):
    """Another process that counts: file, threads, times each, limit."""
    return subprocess.Popen(
        [sys.executable, "-m", "crm_project.testing.counting", *map(str, arguments)],
        cwd=django_settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("clock")
def test_so_many_pass_and_no_more_for_each_name_by_itself(counters):
    assert passed(counters, FIXED, 5) == 3
    assert passed(counters, FIXED, 5, name="b") == 3


def test_it_tells_what_is_left_and_how_long(counters, clock):
    first, second, third, fourth = (counters.count({"a": FIXED})["a"] for _ in range(4))
    assert (first.remaining, second.remaining, third.remaining) == (2, 1, 0)
    clock.shift(20)
    assert counters.count({"a": FIXED})["a"] == (0, 40, 40)
    assert fourth.wait == 60


def test_a_fixed_time_begins_anew_when_it_is_over(counters, clock):
    passed(counters, FIXED, 3)
    clock.shift(59.9)
    assert not passes(counters, FIXED)
    clock.shift(0.2)
    assert passed(counters, FIXED, 5) == 3


def test_a_sliding_one_lets_nobody_have_twice_as_much_around_its_end(counters, clock):
    passes(counters, SLIDING)
    clock.shift(59)
    assert passed(counters, SLIDING, 9) == 5
    clock.shift(2)
    # A sixtieth of the minute before is forgotten.
    assert passed(counters, SLIDING, 9) == 1
    clock.shift(29)
    assert passed(counters, SLIDING, 9) == 2
    clock.shift(120)
    assert passed(counters, SLIDING, 9) == 6


def test_who_waits_as_told_passes_and_not_a_moment_earlier(counters, clock):
    for _ in range(40):
        wait = counters.count({"a": SLIDING})["a"].wait
        if wait:
            clock.shift(wait - 0.01)
            assert not passes(counters, SLIDING)
            clock.shift(0.02)
            assert passes(counters, SLIDING)


def test_who_asks_too_much_all_the_time_still_gets_the_limit(counters, clock):
    through = 0
    for _ in range(60 * 10):
        through += passed(counters, SLIDING, 3)
        clock.shift(1)
    assert 55 <= through <= 66


def test_of_several_names_all_are_counted_or_none(counters):
    tight = {"a": Limit(1, 60), "b": Limit(9, 60)}
    assert counters.count(tight)["b"].remaining == 8
    for order in (tight, dict(reversed(tight.items()))):
        name, standing = counters.count(order).popitem()
        assert (name, standing.remaining) == ("a", 0)
        assert standing.wait
    assert counters.count({"b": Limit(9, 60)})["b"].remaining == 7


def test_what_was_none_is_taken_back_and_a_name_can_be_forgotten(counters):
    passed(counters, FIXED, 3)
    counters.take_back(["a", "never seen"])
    assert passed(counters, FIXED, 5) == 1
    counters.forget("a")
    assert passed(counters, FIXED, 5) == 3


@pytest.mark.parametrize("shift", [-86_400, -3600, 86_400])
def test_a_clock_that_is_set_shuts_nobody_out_for_long(counters, clock, shift):
    passed(counters, FIXED, 3)
    clock.shift(shift)
    assert passes(counters, FIXED)


@pytest.mark.usefixtures("clock")
def test_threads_count_exactly(counters):
    results, errors = at_once([lambda: passes(counters, Limit(100, 60))] * 400, 16)
    assert errors == []
    assert sum(results) == 100


def test_processes_count_exactly(path):
    processes = [counting(path, 8, 50, 1000) for _ in range(4)]
    through = [int(each.communicate()[0].split()[0]) for each in processes]
    assert sum(through) == 1000
    assert [each.returncode for each in processes] == [0] * 4


def test_who_comes_first_to_a_new_file_waits_for_whom_else_does(counters, path):
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.2, other.execute, ["COMMIT"])
        end.start()
        assert passes(counters, FIXED)
        end.join()


def test_what_was_counted_survives_a_killed_process(path):
    loose = {"name": Limit(10_000_000, 600)}
    counters = Counters(path, "secret")
    ours = itertools.count(1)

    def others():
        return 10_000_000 - counters.count(loose)["name"].remaining - next(ours)

    with counting(path, 4, 1_000_000, 10_000_000) as other:
        try:
            until(lambda: others() > 1000, seconds=60)
        finally:
            other.kill()
    assert others() > 1000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_counts_on(counters):
    passes(counters, FIXED)
    with counters._file()._lock:  # as another thread may at that moment
        child = os.fork()
        if not child:
            through = 99
            # Rather than wait for a lock that nobody will ever let go.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            try:
                through = passed(counters, FIXED, 5)
            finally:
                os._exit(through)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert not passes(counters, FIXED)


def test_threads_that_come_and_go_leave_no_open_files(counters):
    def open_files():
        return len(os.listdir("/proc/self/fd"))

    passes(counters, FIXED)
    before = open_files()
    for _ in range(20):
        thread = threading.Thread(target=passes, args=(counters, FIXED))
        thread.start()
        thread.join()
    assert open_files() <= before


def test_nobody_can_read_in_the_file_who_was_counted(counters, path):
    passes(counters, FIXED, name="192.0.2.1 anna")
    counters._file()._close()
    content = path.read_bytes()
    assert b"192.0.2.1" not in content
    assert b"anna" not in content
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT name FROM counts").fetchall()
    assert len(rows[0][0]) == 16
    assert passes(Counters(path, "another secret"), Limit(1, 60), name="192.0.2.1 anna")


def test_what_has_ended_is_dropped_now_and_then(counters, path, clock):
    passed(counters, FIXED, 1, name="old")
    clock.shift(KEPT + PRUNE_EVERY)
    passes(Counters(path, "secret"), FIXED, name="new")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM counts").fetchone() == (1,)


@pytest.mark.parametrize(
    "damage", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_damaged_file_is_thrown_away(path, caplog, damage):
    path.write_bytes(damage)
    assert passed(Counters(path, "secret"), FIXED, 5) == 3
    assert [each.levelname for each in caplog.records] == ["WARNING"]


def test_a_file_damaged_while_in_use_is_thrown_away(counters, path):
    passed(counters, FIXED, 3)
    for file in path.parent.iterdir():
        file.write_bytes(b"\xff" * 20_000)
    counters._file()._close()
    assert passed(counters, FIXED, 5) == 3


def test_a_file_that_was_deleted_is_made_again_in_a_while(counters, path, monkeypatch):
    passed(counters, FIXED, 3)
    path.unlink()
    monkeypatch.setattr("crm_project.counters.PRUNE_EVERY", 0)
    counters._file()._prune_at = 0
    assert passes(counters, FIXED)
    assert path.exists()


def test_where_nothing_can_be_written_everything_passes_and_one_line_says_so(tmp_path, caplog):
    (tmp_path / "file").touch()
    counters = Counters(tmp_path / "file" / "counters.sqlite3", "secret")
    assert [counters.count({"a": FIXED}) for _ in range(9)] == [None] * 9
    counters.take_back(["a"])
    counters._file()._rests_until = 0
    assert counters.count({"a": FIXED}) is None
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert "nothing is limited" in caplog.text


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from crm_project import counters
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
counters.REST = 0
ours = counters.Counters(Path(sys.argv[1]), "secret")
def some_fail(room):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, -1))
    return any(ours.count({str(n): counters.Limit(10**6, 60)}) is None for n in range(500))
print(some_fail(-1), some_fail(8192), some_fail(-1))
"""


def test_a_full_disk_lets_everything_pass_and_with_room_it_counts_on(path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path],
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "True", "False"]
    assert done.stderr.count("nothing is limited") == 1


def test_who_holds_the_file_for_ever_holds_nobody_up_for_long(counters, path, monkeypatch):
    passes(counters, FIXED)
    monkeypatch.setattr("crm_project.counters.PATIENCE", 0.05)
    counters._file()._close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert counters.count({"a": FIXED}) is None
    # For some seconds it is not even tried again.
    assert counters.count({"a": FIXED}) is None
    counters._file()._rests_until = 0
    assert passes(counters, FIXED)
