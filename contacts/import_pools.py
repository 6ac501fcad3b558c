"""Who imports the batches of a file: this process itself, or others beside it, which take a second
or two to begin.

While one of them makes rows under the lock of the operators, another gets its own ready, each with
an interpreter of its own.
"""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, NamedTuple

import django
from django.db import connection

# More would wait for each other's operators.
PROCESSES = 2


class Pool(NamedTuple):
    """`at_once` are the batches that may be under way in it, or wait there to be taken up."""

    executor: Executor
    at_once: int


class Here(Executor):
    """Does at once what it is given."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*args, **options))
        return future


@contextmanager
def here() -> Iterator[Pool]:
    yield Pool(Here(), at_once=1)


@contextmanager
def processes() -> Iterator[Pool]:
    """They write to the database of this one, and end with it, however it ends.

    Raises BrokenExecutor where one of them is ended from outside.
    """
    with ProcessPoolExecutor(
        PROCESSES,
        # A copy of this one would share its connection, and keep locks of threads that it has not.
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(connection.settings_dict["NAME"],),
    ) as executor:
        # One more, so that whoever has done a batch finds the next one there.
        yield Pool(executor, at_once=PROCESSES + 1)


def _begin(database: str) -> None:
    # Ctrl-C is for the one that was started: batches under way come to their end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    django.setup()
    connection.settings_dict["NAME"] = database
    gc.freeze()


def _end_with_parent() -> None:
    """Else they would wait for batches for ever, and the one in hand would hold its operators."""
    if parent := parent_process():
        parent.join()
        os._exit(1)
