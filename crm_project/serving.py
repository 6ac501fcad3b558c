"""gunicorn's worker with threads, in which only whole requests take a thread.

gunicorn's own gives a thread to every connection, for as long as its client likes: as many silent
clients as there are threads stop the service. Here a request is gathered beside all others until
it has come, up to `MOST_GATHERED` bytes of it; what is longer, and the answer, must move at a least
rate. Measured in docs/decisions/0012-time-outs.md.

The master imports this module, so it imports nothing of the service: a reload brings the new code
of that, and only a restart that of this.
"""

import re
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from gunicorn.http import body, errors
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from crm_project.turns import SOON, Turns

# From the first byte of a request to the last of those that are gathered.
ARRIVAL_SECONDS = 20.0
MOST_GATHERED = 256 * 1024
# What a client may let a thread wait, in all; bytes that pass earn so much of it back.
PATIENCE_SECONDS = 10.0
BYTES_PER_SECOND = 16 * 1024
# After the last answer, for the client to read it before it learns that nobody listens any more.
LINGER_SECONDS = 2.0
PIECE = 64 * 1024
# Until a thread that computes lets another one go on.
SWITCH_SECONDS = 0.00001

# Zeros in front, of which the parser takes any number, must not hide how long it is.
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*0*(\d{1,15})[ \t]*(?:\r|$)", re.IGNORECASE)
EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class PatientSocket(socket.socket):
    """A client's, for a thread that waits for it within limits; `received`: what is gathered.

    It never blocks but within these, whatever it is told: to tell it each time is work for the
    kernel, and for the other threads, which take over meanwhile.
    """

    def __init__(self, taken: socket.socket) -> None:
        super().__init__(fileno=taken.detach())
        super().setblocking(False)
        self.received = bytearray()
        # Of an answer, as long as it waits; None: there is none to wait for.
        self.head: bytes | None = None
        self.invited = self.over = False
        self.patience = PATIENCE_SECONDS

    def setblocking(self, flag: bool) -> None:
        pass

    def settimeout(self, value: float | None) -> None:
        pass

    def take(self) -> bytes:
        """What is there; raises BlockingIOError where nothing is."""
        return super().recv(PIECE)

    def recv(self, size: int, flags: int = 0) -> bytes:
        data: bytes = self._do(super().recv, size, flags)
        self._earn(len(data))
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        sent: int = self._do(super().send, data, flags)
        self._earn(sent)
        return sent

    def sendall(self, data: Any, flags: int = 0) -> None:
        """What comes first of an answer waits for what comes next: both are sent at once."""
        if self.head == b"":
            self.head = bytes(data)
            return
        left = memoryview(self.head + data if self.head else data)
        self.head = None
        while left:
            left = left[self.send(left, flags) :]

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What is sent meanwhile is an answer."""
        self.head = b""
        try:
            yield
        finally:
            if self.fileno() >= 0 and self.head:
                self.sendall(b"")
            self.head = None

    def _do(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except BlockingIOError:
            return self._wait(call, *arguments)

    def _wait(self, call: Callable[..., Any], *arguments: Any) -> Any:
        super().settimeout(max(self.patience, 0.01))
        since = time.monotonic()
        try:
            return call(*arguments)
        except TimeoutError:
            # As if it had gone, which gunicorn and Django know what to do about.
            raise ConnectionResetError("the client is too slow") from None
        finally:
            self.patience -= time.monotonic() - since
            super().setblocking(False)

    def _earn(self, count: int) -> None:
        self.patience = min(PATIENCE_SECONDS, self.patience + count / BYTES_PER_SECOND)


class Worker(ThreadWorker):
    """`pending_conns` are those whose request is gathered, or whose last answer is being read."""

    # Set by gunicorn.conf.py.
    requests_at_once: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # By how many are kept gunicorn knows when to keep no more: else idle ones fill the worker.
        self.keepalived_conns = self.pending_conns

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise SystemExit(
                "gunicorn speaks plain HTTP here: TLS is for the proxy in front of it."
            )

    def get_thread_pool(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(self.cfg.threads)
        self.turns = Turns(
            pool, self._serve, threads=self.cfg.threads, at_once=self.requests_at_once
        )
        return pool

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(min(timeout, SOON) if self.turns.wait else timeout)
        self.turns.begin()

    def enqueue_req(self, conn: TConn) -> None:
        """Of a connection that is new, or whose next request is here in part."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket(conn.sock)
        if conn.parser:
            # What its client has sent before it had its answer.
            conn.sock.received += conn.parser.unreader.take_buffered()
        if is_whole(conn.sock.received):
            self._give_thread(conn)
            return
        self._watch(conn, ARRIVAL_SECONDS if conn.sock.received else self.cfg.keepalive)
        self.on_pending_socket_readable(conn, conn.sock)

    def on_pending_socket_readable(self, conn: TConn, client: PatientSocket) -> None:
        try:
            data = client.take()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and (client.over or not client.received):
            self._drop(conn)
        elif not client.over:
            self._gather(conn, client, data)

    def _gather(self, conn: TConn, client: PatientSocket, data: bytes) -> None:
        if not client.received:
            conn.timeout = time.monotonic() + ARRIVAL_SECONDS
        client.received += data
        if is_whole(client.received):
            self._forget(conn)
            self._give_thread(conn)
        elif not data:
            # Without its end, it is not what its client meant.
            self._refuse(conn, 400)
        elif not client.invited and is_awaited(client.received):
            client.invited = True
            with suppress(OSError):
                socket.socket.send(client, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _give_thread(self, conn: TConn) -> None:
        conn.init()
        conn.parser.unreader.unread(bytes(conn.sock.received))
        conn.sock.received.clear()
        conn.sock.invited = False
        conn.sock.patience = PATIENCE_SECONDS
        self.turns.add(conn)

    def _serve(self, conn: TConn) -> None:
        """In a thread: answer, and look out for the client's next request.

        All else that is done with connections is left to the main thread.
        """
        if not self.handle(conn):
            self.method_queue.defer(self._end, conn)
        elif conn.parser.unreader.buf.getvalue():
            self.method_queue.defer(self.enqueue_req, conn)
        else:
            self._watch(conn, self.cfg.keepalive)

    def handle_request(self, req: Any, conn: TConn) -> bool:
        with conn.sock.answering():
            keeps: bool = super().handle_request(req, conn)
        return keeps

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """A body that nobody read is not waited for: the connection ends."""
        reader, unread = conn.parser.mesg.body.reader, conn.parser.unreader.buf.getvalue()
        here = isinstance(reader, body.LengthReader) and reader.length <= len(unread)
        return here and super()._keepalive_after(conn, keepalive)

    def _end(self, conn: TConn) -> None:
        """Close it when its client has, or soon: at once would take the answer from who still
        sends. gunicorn's own way waits for one client with all others.
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        conn.sock.over = True
        self._watch(conn, LINGER_SECONDS)

    def _watch(self, conn: TConn, seconds: float) -> None:
        conn.timeout = time.monotonic() + seconds
        self.pending_conns.append(conn)
        if not self.alive:
            self._cap(conn, time.monotonic() + STOP_KEEPALIVE_LINGER)
        readable = partial(self.on_pending_socket_readable, conn)
        # The last of all: whoever waits at the poller has the connection now.
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _forget(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _drop(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """They are among the pending ones."""

    def murder_pending(self) -> None:
        now = time.monotonic()
        for conn in [each for each in list(self.pending_conns) if each.timeout <= now]:
            if conn.sock.over or not conn.sock.received:
                self._drop(conn)
                continue
            self._refuse(conn, 408)

    def _refuse(self, conn: TConn, status: int) -> None:
        self._forget(conn)
        with suppress(OSError):
            socket.socket.send(conn.sock, self._refusal(status, "it did not come to its end"))
        self._end(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """When it stops, it takes whoever has come, then lets nobody come: a connection that waits
        at a socket while the last one closes it is cut.
        """
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        # Between the last that it takes and the end of the socket nobody else is to think.
        sys.setswitchinterval(SWITCH_SECONDS)
        for listener in self.sockets:
            known = -1
            while known != self.nr_conns:
                known = self.nr_conns
                self.accept(listener)
            listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in list(self.pending_conns):
            self._cap(conn, deadline)

    def _cap(self, conn: TConn, deadline: float) -> None:
        if conn.sock.over or not conn.sock.received:
            conn.timeout = min(conn.timeout, deadline)

    def handle_error(self, req: Any, client: PatientSocket, addr: Any, exc: Exception) -> None:
        """What is no HTTP is refused in the shape of all errors, and never as our fault."""
        ours = errors.ConfigurationProblem | errors.InvalidResponseHeader
        if not isinstance(exc, errors.ParseException) or isinstance(exc, ours):
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):
            # What gunicorn says of it quotes the request, which may hold a secret.
            client.sendall(self._refusal(STATUSES.get(type(exc), 400), type(exc).__name__))

    def _refusal(self, status: int, why: str) -> bytes:
        """An answer with which the connection ends, told of in the log under the id that it has."""
        request_id = uuid4().hex
        fields = {"request_id": request_id, "status": status}
        self.log.warning("A request was refused: %s", why, extra={"fields": fields})
        return refusal(status, request_id)


STATUSES = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    errors.ExpectationFailed: 417,
}


def is_awaited(received: bytearray) -> bool:
    """Does the client send its body only when it is told to?"""
    end = received.find(b"\r\n\r\n")
    return end >= 0 and bool(EXPECTS.search(received, 0, end))


def is_whole(received: bytearray) -> bool:
    """Has a request come, or as much of it as is gathered?

    Where the parser, which decides, sees another end, the thread waits for it within its limits.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return len(received) >= MOST_GATHERED
    length = CONTENT_LENGTH.search(received, 0, end)
    return len(received) >= min(end + 4 + int(length[1] if length else 0), MOST_GATHERED)


def refusal(status: int, request_id: str) -> bytes:
    """The whole of such an answer, in the shape of all errors."""
    from django.conf import settings
    from django.utils.translation import gettext, override

    from crm_project.errors import RequestTimeout
    from crm_project.responses import error_response

    with override(settings.LANGUAGE_CODE):
        if status == RequestTimeout.status_code:
            code, words = RequestTimeout.default_code, str(RequestTimeout.default_detail)
        else:
            code, words = "bad_request", gettext("The request cannot be understood.")
        content = error_response(status, code, words).content
    phrase = HTTPStatus(status).phrase
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nX-Request-ID: {request_id}\r\n\r\n"
    )
    return head.encode() + content
