"""However a benchmark is told to end, it first ends what it has started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StoppedError(KeyboardInterrupt):
    """A signal came, `number`. As a KeyboardInterrupt, so that psycopg cancels its statement."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class _State:
    """Of this process: how many blocks let signals wait, and the first signal that does."""

    held = 0
    waiting: int | None = None


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise StoppedError inside of the block for SIGINT, SIGTERM and SIGHUP.

    SIGINT too where it was ignored, as in a script's background; SIGHUP not where nohup wants it.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before: dict[int, Any] = {each: signal.signal(each, _stop) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def unstopped() -> Iterator[None]:
    """Let a signal wait until the end of the block: a process that has just been started must be
    known before anything can be raised, and who ends it must not be disturbed.
    """
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
        number = _State.waiting
        if number is not None and not _State.held:
            _State.waiting = None
            raise StoppedError(number)


def _stop(number: int, frame: FrameType | None) -> None:
    if not _State.held:
        raise StoppedError(number)
    _State.waiting = _State.waiting or number
