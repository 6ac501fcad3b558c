"""Few are worked on at once, what takes long holds up nobody, and nothing that came is left out."""

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from crm_project.testing.asking import ask
from crm_project.testing.service import Service
from crm_project.turns import SOON, Turns

LONG = 10


class Work:
    """Jobs that last until they are let go on; those below zero fail then.

    `at_once` is the most that were under way.
    """

    def __init__(self):
        self.go_on, self.changed = threading.Event(), threading.Condition()
        self.under_way, self.at_once, self.done = set(), 0, []

    def __call__(self, job):
        with self.changed:
            self.under_way.add(job)
            self.at_once = max(self.at_once, len(self.under_way))
            self.changed.notify_all()
        assert self.go_on.wait(LONG)
        with self.changed:
            self.under_way.remove(job)
            self.done.append(job)
            self.changed.notify_all()
        if job < 0:
            raise ValueError(job)

    def until(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, LONG)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def turns(work):
    with ThreadPoolExecutor(4) as pool:
        yield Turns(pool, work, threads=4, at_once=2)
        work.go_on.set()


def begin_until(turns, condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        turns.begin()
        time.sleep(SOON / 10)


def test_few_are_worked_on_at_once_and_all_in_the_end(monkeypatch, turns, work):
    monkeypatch.setattr("crm_project.turns.SOON", LONG)
    for job in range(20):
        turns.add(job)
    work.until(lambda: work.under_way == {0, 1})
    turns.begin()
    assert turns.wait
    work.go_on.set()
    work.until(lambda: len(work.done) == 20)
    assert work.at_once == 2
    assert sorted(work.done) == list(range(20))
    assert not turns.wait


def test_whoever_came_first_is_first(monkeypatch, work):
    monkeypatch.setattr("crm_project.turns.SOON", LONG)
    with ThreadPoolExecutor(4) as pool:
        turns = Turns(pool, work, threads=4, at_once=1)
        for job in range(5):
            turns.add(job)
        work.go_on.set()
        begin_until(turns, lambda: len(work.done) == 5)
    assert work.done == [0, 1, 2, 3, 4]


def test_what_takes_long_lets_others_begin_up_to_the_threads_there_are(turns, work):
    for job in range(6):
        turns.add(job)
    begin_until(turns, lambda: len(work.under_way) == 4)
    time.sleep(2 * SOON)
    turns.begin()
    assert work.under_way == {0, 1, 2, 3}
    assert turns.wait
    work.go_on.set()
    work.until(lambda: len(work.done) == 6)


def test_a_job_that_fails_gives_up_its_place(turns, work):
    work.go_on.set()
    for job in [*range(-10, 0), 1]:
        turns.add(job)
    begin_until(turns, lambda: len(work.done) == 11)
    assert work.done.count(1) == 1


@pytest.mark.once
def test_who_waits_for_the_database_holds_up_nobody_who_came_at_the_same_time(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/db.sqlite3", workers=1, threads=4)
    service.migrate()
    service.start()
    database = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(12) as clients:
            writing = [
                clients.submit(ask, f"{service.url}/sources", {"name": code, "code": code})
                for code in ("vk", "tg")
            ]
            reading = [clients.submit(ask, f"{service.url}/operators") for _ in range(10)]
            while wait(reading, timeout=1).not_done:
                # Whoever writes waits on for as long as the queue moves.
                os.utime(tmp_path / "db.sqlite3-wal")
            assert [each.result().status for each in reading] == [200] * 10
            assert not any(each.done() for each in writing)
            database.execute("ROLLBACK")
            assert [each.result().status for each in writing] == [201, 201]
    finally:
        database.close()
        service.kill()
