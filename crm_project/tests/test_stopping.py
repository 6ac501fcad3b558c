"""Who is being answered when the service ends, or begins anew, gets the answer."""

import contextlib
import errno
import http.client
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil
import pytest

from crm_project.testing.asking import ask, until
from crm_project.testing.service import ROOT, Service

pytestmark = pytest.mark.once

CLIENTS = 6
# What systemd does with a socket of its own: it stays the third file, whoever serves from it.
HANDING_ON = """
import os, sys
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "crm_project.wsgi"])
"""


@dataclass
class Told:
    """What became of each request: `answered`, `refused` (no connection was made), or `cut`."""

    port: int
    kept: bool
    ended: threading.Event = field(default_factory=threading.Event)
    outcomes: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            while not self.ended.is_set():
                self.outcomes[self.outcome(connection)] += 1
                if not self.kept:
                    connection.close()

    def outcome(self, connection: http.client.HTTPConnection) -> str:
        try:
            if connection.sock is None:
                connection.connect()
        except ConnectionError:
            time.sleep(0.05)
            return "refused"
        try:
            connection.request("GET", "/operators")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"cut: {error!r}"
        return "answered" if answer.status == 200 else str(answer.status)


@contextlib.contextmanager
def asking(port):
    """Clients that ask without a pause, half of them on a connection that they keep."""
    told = [Told(port, kept=number % 2 == 0) for number in range(CLIENTS)]
    threads = [threading.Thread(target=each.run) for each in told]
    for thread in threads:
        thread.start()
    outcomes: Counter[str] = Counter()
    try:
        yield outcomes
    finally:
        for each, thread in zip(told, threads, strict=True):
            each.ended.set()
            thread.join()
            outcomes.update(each.outcomes)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopping")
    service = Service(f"sqlite:///{folder}/db.sqlite3", workers=2, threads=4)
    service.migrate()
    yield service
    service.kill()


def test_nobody_is_cut_when_it_is_told_to_end(service):
    service.start()
    with asking(service.port) as outcomes:
        time.sleep(1)
        assert service.stop() == 0
        time.sleep(0.3)
    assert outcomes["answered"] > 20
    assert outcomes["refused"]
    assert set(outcomes) == {"answered", "refused"}


def test_who_begins_to_connect_at_the_end_is_refused_and_not_cut(service):
    service.start()
    master = psutil.Process(service.process.pid)
    workers = master.children()
    for each in workers:
        each.suspend()
    with socket.socket() as early, socket.socket() as late:
        early.connect(("127.0.0.1", service.port))
        master.terminate()
        until(lambda: not master.net_connections(), seconds=10)
        late.setblocking(False)
        late.connect_ex(("127.0.0.1", service.port))
        for each in workers:
            each.resume()
        early.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert early.recv(1000).startswith(b"HTTP/1.1 200 ")
        select.select([], [late], [], 20)
        assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert service.process.wait(40) == 0


def test_nobody_notices_that_it_is_reloaded(service):
    service.start()
    with asking(service.port) as outcomes:
        time.sleep(0.5)
        before = children(service.process.pid)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: not before & children(service.process.pid), seconds=30)
        time.sleep(0.5)
    service.stop()
    assert outcomes["answered"] > 20
    assert set(outcomes) == {"answered"}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return set(file.read().split())


def test_nobody_notices_a_restart_behind_a_socket_that_stays(service):
    with socket.create_server(("127.0.0.1", 0), backlog=512) as held:
        port = held.getsockname()[1]

        def start():
            return subprocess.Popen(
                [sys.executable, "-c", HANDING_ON, str(held.fileno())],
                cwd=ROOT,
                env=service.environment,
                pass_fds=[held.fileno()],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        first = start()
        with asking(port) as outcomes:
            ask(f"http://127.0.0.1:{port}/health")
            first.terminate()
            assert first.wait(40) == 0
            second = start()
            ask(f"http://127.0.0.1:{port}/health")
            time.sleep(0.5)
        second.terminate()
        assert second.wait(40) == 0
    assert outcomes["answered"] > 20
    assert set(outcomes) == {"answered"}


def test_a_request_that_is_still_coming_is_answered_before_the_end(service):
    service.start()
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        time.sleep(0.3)
        service.process.terminate()
        time.sleep(1)
        client.sendall(b"host\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert service.process.wait(20) == 0


def test_clients_who_say_nothing_do_not_delay_the_end(service):
    service.start()
    with contextlib.ExitStack() as silent:
        for _ in range(10):
            silent.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        time.sleep(0.3)
        since = time.monotonic()
        assert service.stop() == 0
    assert time.monotonic() - since < 10
