"""Work that a process does again and again beside its requests, in a thread of its own."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from django.db import Error, connections

logger = logging.getLogger(__name__)


class Repeating(threading.Thread):
    """Does `work` at once and then so many seconds after each time, until it is stopped.

    A database that is away is told of once, and once more when it is back; nothing that goes wrong
    ends it.
    """

    def __init__(self, work: Callable[[], Any], *, seconds: float) -> None:
        super().__init__(name=getattr(work, "__name__", None), daemon=True)
        self._work = work
        self._seconds = seconds
        self._stopped = threading.Event()
        self._away = False

    def run(self) -> None:
        while True:
            self._once()
            if self._stopped.wait(self._seconds):
                return

    def stop(self, *, patience: float) -> None:
        """Let it end what it is doing, for so many seconds at most; it begins nothing more."""
        self._stopped.set()
        self.join(patience)

    def _once(self) -> None:
        try:
            self._work()
        except Error as error:
            if not self._away:
                self._tell(logging.WARNING, "the database fails, going on", exc_info=error)
            self._away = True
        except Exception as error:  # whatever it is, time goes on
            self._tell(logging.ERROR, "failed, going on", exc_info=error)
        else:
            if self._away:
                self._tell(logging.WARNING, "the database answers again")
            self._away = False
        finally:
            # A pooler, or a limit on connections, should not pay for one that sleeps.
            connections.close_all()

    def _tell(self, level: int, message: str, **more: Any) -> None:
        logger.log(level, message, extra={"fields": {"work": self.name}}, **more)
