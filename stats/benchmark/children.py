"""Processes that are started for a measurement, and end with it."""

import os
import signal
import subprocess  # nosec B404 - starts Python alone
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from stats.benchmark.stopping import unstopped

END_SECONDS = 5.0


@contextmanager
def child(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    patience: float = END_SECONDS,
    **options: Any,
) -> Iterator["subprocess.Popen[Any]"]:
    """Run Python with these arguments for as long as the block lasts at most: what then still runs
    is told to end, and killed after so many seconds of patience, with all that is of its session.

    In a session of its own: Ctrl-C is for us, and we end it.
    """
    process = None
    try:
        with unstopped():
            # Without a shell, and nothing that anybody else has said.
            process = subprocess.Popen(  # noqa: S603  # nosec B603
                [sys.executable, *arguments],
                cwd=settings.BASE_DIR,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                **options,
            )
        yield process
    finally:
        if process:
            with unstopped(), process:
                _end(process, patience)


def _end(process: "subprocess.Popen[Any]", patience: float) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
