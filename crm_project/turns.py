"""Few requests are worked on at once, so that each is soon done and the next one finds all warm.

The threads of a process take turns at its interpreter anyway. With more of them each request only
takes longer, and each thread has a connection of its own, whose process at the database finds its
memory gone from the processor's caches when its turn comes. Measured in
docs/decisions/0019-few-at-once.md.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from threading import Lock
from typing import Generic, TypeVar

Job = TypeVar("Job")

# What takes longer than so many seconds waits for something or somebody, and lets others begin.
SOON = 0.05


class Turns(Generic[Job]):
    """Jobs for the threads of a pool, first come, first served: `at_once` are worked on at once,
    beside those that have taken longer than SOON, on at most so many `threads`.
    """

    def __init__(
        self, pool: Executor, work: Callable[[Job], object], *, threads: int, at_once: int
    ) -> None:
        self._pool, self._work = pool, work
        self._threads, self._at_once = threads, at_once
        self._waiting: deque[Job] = deque()
        # When each of those under way began.
        self._began: dict[object, float] = {}
        self._lock = Lock()

    @property
    def wait(self) -> bool:
        """Are there jobs that nobody has begun? Then `begin` is to be called every SOON."""
        return bool(self._waiting)

    def add(self, job: Job) -> None:
        self._waiting.append(job)
        self.begin()

    def begin(self) -> None:
        """Let threads begin with as many as may."""
        with self._lock:
            while len(self._began) < self._threads and self._may_begin():
                place = object()
                self._pool.submit(self._run, place, self._begun(place))

    def _run(self, place: object, job: Job) -> None:
        """In a thread, which goes on with what waits: it is warm."""
        try:
            while True:
                self._work(job)
                with self._lock:
                    del self._began[place]
                    if not self._may_begin():
                        return
                    job = self._begun(place)
        finally:
            with self._lock:
                self._began.pop(place, None)

    def _may_begin(self) -> bool:
        since = time.monotonic() - SOON
        soon_done = sum(began > since for began in self._began.values())
        return bool(self._waiting) and soon_done < self._at_once

    def _begun(self, place: object) -> Job:
        self._began[place] = time.monotonic()
        return self._waiting.popleft()
