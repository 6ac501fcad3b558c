"""Work beside the requests goes on whatever happens, and ends when it is told to."""

import logging
import threading

import pytest
from django.db import OperationalError, connection

from crm_project.repeating import Repeating


def rounds(*outcomes):
    """Run once for each outcome, an error to be raised or None, then stop."""
    rest, done = list(outcomes), threading.Event()

    def clock():
        outcome = rest.pop(0)
        if not rest:
            done.set()
        if outcome:
            raise outcome

    repeating = Repeating(clock, seconds=0.001)
    # It ends with the last outcome, before there would be nothing left to take.
    repeating._stopped.wait = lambda seconds: not rest
    repeating.start()
    assert done.wait(10)
    repeating.stop(patience=10)
    assert not repeating.is_alive()


def test_a_database_that_is_away_costs_one_line_and_one_more_when_it_is_back(caplog):
    away = OperationalError("connection refused\n  is it running?")
    rounds(None, away, away, away, None, None)
    assert [(each.levelno, each.getMessage(), each.fields) for each in caplog.records] == [
        (logging.WARNING, "the database fails, going on", {"work": "clock"}),
        (logging.WARNING, "the database answers again", {"work": "clock"}),
    ]


def test_a_fault_of_ours_is_told_with_its_trace_and_does_not_end_it(caplog):
    rounds(ValueError("oops"), None)
    (told,) = caplog.records
    assert (told.levelno, told.exc_info[0]) == (logging.ERROR, ValueError)


def test_it_begins_nothing_more_once_it_is_stopped():
    times = []
    repeating = Repeating(lambda: times.append(1), seconds=60)
    repeating.start()
    repeating.stop(patience=10)
    assert not repeating.is_alive()
    assert len(times) <= 1


@pytest.mark.postgres  # SQLite in memory is never closed: it would be gone
@pytest.mark.django_db(transaction=True)
def test_it_keeps_no_connection_while_it_sleeps():
    seen, slept = [], threading.Event()

    def work():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        seen.append(connection.connection is not None)

    repeating = Repeating(work, seconds=60)
    sleep = repeating._stopped.wait

    def wait(seconds):
        seen.append(connection.connection is not None)
        slept.set()
        return sleep(seconds)

    repeating._stopped.wait = wait
    repeating.start()
    assert slept.wait(10)
    repeating.stop(patience=10)
    assert seen == [True, False]
