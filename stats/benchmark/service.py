"""The service with production settings, for as long as it is measured."""

import json
import secrets
import socket
import subprocess  # nosec B404 - its constants alone
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stats.benchmark.children import child

START_SECONDS = 60
# Behind a proxy that ends TLS, as in production, and as if it were on this machine.
HEADERS = {
    "Host": "127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
}
# With the log and the counting of requests, as in production, but none of them refused.
PRODUCTION = {
    "CRM_PRODUCTION": "true",
    "CRM_BEHIND_TLS_PROXY": "true",
    "CRM_ALLOWED_HOSTS": HEADERS["Host"],
    "CRM_REQUESTS_PER_MINUTE_KEY": "1000000",
    "CRM_LOG_LEVEL": "INFO",
    "HOST": "127.0.0.1",
}


class ServiceError(Exception):
    """The service does not serve; says why."""


class Service:
    """gunicorn with the project's gunicorn.conf.py, on a free port of loopback, on the database of
    this URL. What is not said here is as the environment says, workers and threads above all.
    """

    def __init__(self, database_url: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.database_url = database_url

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = tempfile.TemporaryDirectory(prefix="mini-crm-benchmark-")
            path = Path(stack.enter_context(folder))
            self.log = path / "log"
            with self.log.open("wb") as log:
                self.process = stack.enter_context(
                    child(
                        ["-m", "gunicorn", "crm_project.wsgi"],
                        environment={
                            **PRODUCTION,
                            "CRM_SECRET_KEY": secrets.token_urlsafe(64),
                            "CRM_COUNTERS_FILE": str(path / "counters.sqlite3"),
                            "DATABASE_URL": self.database_url,
                            "PORT": str(self.port),
                        },
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
            self._wait()
            self.started = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.started.close()

    def mark(self) -> int:
        """A place in the log, from which to count."""
        return self.log.stat().st_size

    def queries_since(self, mark: int) -> float | None:
        """Of each request on the average, by the lines of the log; None: there was none."""
        found = [each["queries"] for each in self._told(mark) if "queries" in each]
        return sum(found) / len(found) if found else None

    def warnings_since(self, mark: int) -> dict[str, int]:
        """What else the log tells, and how often."""
        told = (each for each in self._told(mark) if each.get("level") != "INFO")
        return dict(Counter(str(each.get("message")) for each in told))

    def _told(self, mark: int) -> list[dict[str, Any]]:
        lines = []
        with self.log.open("rb") as log:
            log.seek(mark)
            for line in log:
                try:
                    lines.append(json.loads(line))
                except ValueError:  # not of the service, or cut
                    continue
        return lines

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        url = f"http://127.0.0.1:{self.port}/health/ready"
        while self.process.poll() is None and time.monotonic() < until:
            try:
                # A number that we chose, on this machine.
                urllib.request.urlopen(url, timeout=5).close()  # nosec B310
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        said = self.log.read_text(errors="replace").strip()[-1000:]
        raise ServiceError(f"The service did not start: {said or 'it said nothing.'}")
