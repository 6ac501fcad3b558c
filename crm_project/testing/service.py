"""The whole service as a process of its own, for tests that end it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import IO

from crm_project.testing.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# What the services of a test have written, for whoever looks for secrets in it.
outputs: list[IO[bytes]] = []


def written(output: IO[bytes]) -> str:
    """What a service has written so far; where it goes on writing does not change."""
    descriptor = output.fileno()
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


class Service:
    """gunicorn on a free port of loopback, on the database of this URL, with these `settings`."""

    def __init__(
        self,
        database_url: str,
        *,
        workers: int = 2,
        threads: int = 8,
        application: str = "crm_project.wsgi",
        **settings: str,
    ) -> None:
        self.application = application
        self.environment = os.environ | {
            "DATABASE_URL": database_url,
            "CRM_DOTENV": os.devnull,
            "CRM_SECRET_KEY": "k" * 50,
            "CRM_WORKERS": str(workers),
            "CRM_THREADS": str(threads),
            "HOST": "127.0.0.1",
            **settings,
        }
        self.port = free_port()
        self.environment["PORT"] = str(self.port)
        self.url = f"http://127.0.0.1:{self.port}"

    def manage(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py; `check`: raise CalledProcessError where it fails."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment,
            check=check,
            capture_output=True,
            text=True,
        )

    def migrate(self) -> None:
        """Make its tables, in a new file on SQLite, or in a database."""
        url = self.environment["DATABASE_URL"]
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).write_bytes(_migrated())
        else:
            self.manage("migrate", "--verbosity=0")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by who looks for secrets
        outputs.append(self.output)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", self.application],
            cwd=ROOT,
            env=self.environment,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise TimeoutError("the service does not answer")

    def stop(self) -> int:
        """Tell it to end, and wait; its exit code."""
        self.process.terminate()
        return self.process.wait(40)

    def kill(self) -> None:
        """Kill every process of it at once, as a power cut would; if it was ever started."""
        if not hasattr(self, "process"):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for left in Path("/dev/shm").glob(f"mini-crm-metrics-{self.process.pid}-*"):
            shutil.rmtree(left)


@cache
def _migrated() -> bytes:
    """A file with all tables, made once by each process, as that takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db.sqlite3"
        Service(f"sqlite:///{path}").manage("migrate", "--verbosity=0")
        return path.read_bytes()
