"""One request to a receiver, within a time that no receiver can stretch.

Written out rather than done by `http.client`, whose time-outs begin anew with each byte, and which
asks for the name itself. Redirects are answers like others.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, quote

from contacts.events.addresses import PORTS, parsed, resolved
from contacts.events.failures import Failure, SendingError

# For the connection, the request and the answer. To look up the name takes as long as the system
# lets it, and counts; who sends keeps its lease meanwhile.
SECONDS = 10.0
# Of an answer no more is read than its head.
MOST_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`retry_after` is in seconds; None: the receiver did not say."""

    status: int
    retry_after: int | None = None


# There was nobody to be told, which is well.
NOBODY = Answer(204)


def post(url: str, headers: Mapping[str, str], body: bytes, *, seconds: float = SECONDS) -> Answer:
    """Send it; raises SendingError where that is not allowed, or nothing came back in time."""
    until = time.monotonic() + seconds
    parts = parsed(url)
    if parts is None:
        raise SendingError(Failure.BAD_ADDRESS)
    try:
        with _connected(parts, resolved(parts), until) as connection:
            connection.settimeout(_left(until))
            connection.sendall(_request(parts, headers, body))
            return _answer(connection, until)
    except TimeoutError as error:
        raise SendingError(Failure.TIMEOUT) from error
    except ConnectionRefusedError as error:
        raise SendingError(Failure.REFUSED) from error
    except ssl.SSLError as error:
        raise SendingError(Failure.TLS) from error
    except OSError as error:
        raise SendingError(Failure.UNREACHABLE) from error


def _connected(parts: SplitResult, hosts: list[str], until: float) -> socket.socket:
    """To the first of the addresses that takes the connection."""
    for host in hosts:
        try:
            plain = socket.create_connection(
                (host, parts.port or PORTS[parts.scheme]), timeout=_left(until)
            )
            break
        except OSError:
            if host == hosts[-1]:
                raise
    if parts.scheme == "http":
        return plain
    plain.settimeout(_left(until))
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=_host(parts))
    except BaseException:
        plain.close()
        raise


def _request(parts: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    host = f"[{_host(parts)}]" if ":" in _host(parts) else _host(parts)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    lines = [
        f"POST {path}{query} HTTP/1.1",
        f"Host: {host}:{parts.port}" if parts.port else f"Host: {host}",
        "User-Agent: Mini-CRM",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _answer(connection: socket.socket, until: float) -> Answer:
    got = b""
    while True:
        head, end, rest = got.partition(b"\r\n\r\n")
        if end:
            answer = _parsed_answer(head)
            if answer.status >= 200:
                return answer
            got = rest  # it was only the announcement of one
            continue
        connection.settimeout(_left(until))
        more = connection.recv(4096)
        if not more or len(got) > MOST_BYTES:
            raise SendingError(Failure.NO_HTTP)
        got += more


def _parsed_answer(head: bytes) -> Answer:
    line, _end, fields = head.partition(b"\r\n")
    version, _space, rest = line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit() or len(code) != 3:
        raise SendingError(Failure.NO_HTTP)
    try:
        found = http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n"))
    except http.client.HTTPException as error:
        raise SendingError(Failure.NO_HTTP) from error
    wait = (found.get("Retry-After") or "").strip()
    few = wait.isascii() and wait.isdigit() and len(wait) < 10
    return Answer(int(code), int(wait) if few else None)


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").encode("idna").decode()


def _left(until: float) -> float:
    """Raises TimeoutError where the time is over."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
