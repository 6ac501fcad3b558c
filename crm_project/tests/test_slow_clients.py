"""Clients that take their time, against a whole server: they take no thread from the others."""

import contextlib
import http.client
import json
import re
import socket
import time

import pytest

from crm_project.serving import is_whole
from crm_project.testing.asking import ask, ask_all
from crm_project.testing.service import Service

pytestmark = pytest.mark.once

WORKERS, THREADS = 2, 2
# Of each kind: many more than there are threads.
CLIENTS = 24
HEAD = b"POST /operators HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SILENT = b""
STARTS_A_HEAD = b"GET /health HTTP/1.1\r\nHo"
STARTS_A_BODY = HEAD + b'Content-Length: 100\r\n\r\n{"name":'
SENDS_LESS_THAN_IT_SAID = HEAD + b"Content-Length: 1000000\r\n\r\n{}"
WAITS_TO_BE_INVITED = HEAD + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"
NEVER_CLOSES = b"GET /health HTTP/1.0\r\n\r\n"
ASKS_AND_SAYS_NO_MORE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_OF_A_SECOND = ASKS_AND_SAYS_NO_MORE + STARTS_A_HEAD
IS_REFUSED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    service = Service(f"sqlite:///{folder}/db.sqlite3", workers=WORKERS, threads=THREADS)
    service.migrate()
    service.start()
    yield service
    service.kill()


@contextlib.contextmanager
def clients(service, sent, count=CLIENTS, **options):
    with contextlib.ExitStack() as all_of_them:
        those = [all_of_them.enter_context(connected(service, **options)) for _ in range(count)]
        for each in those:
            each.sendall(sent)
        yield those


def connected(service, receives=None):
    client = socket.socket()
    if receives:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    client.connect(("127.0.0.1", service.port))
    return client


def answer_to(service, request, seconds=10):
    with connected(service) as client:
        client.settimeout(seconds)
        client.sendall(request)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        return answer, answer.read()


@pytest.mark.parametrize(
    "sent",
    [
        SILENT,
        STARTS_A_HEAD,
        STARTS_A_BODY,
        SENDS_LESS_THAN_IT_SAID,
        WAITS_TO_BE_INVITED,
        NEVER_CLOSES,
        ASKS_AND_SAYS_NO_MORE,
        HALF_OF_A_SECOND,
        IS_REFUSED,
    ],
    ids=lambda sent: repr(sent[-20:]),
)
def test_however_many_there_are_others_are_answered_at_once(service, sent):
    with clients(service, sent):
        time.sleep(0.3)
        # Again and again: the first may slip in.
        answers = [each for _ in range(4) for each in ask_all([f"{service.url}/operators"] * 4)]
    assert {answer.status for answer in answers} == {200}
    assert max(answer.seconds for answer in answers) < 3


def test_those_who_read_nothing_hold_a_thread_for_some_seconds_at_most(service):
    # All of them at one worker is twice as many as it has threads: 10 s for each half.
    # So many answers of 2 MB each are more than the kernel keeps for a client.
    many = b"".join(
        b"GET /contacts?page_size=500 HTTP/1.1\r\nHost: localhost\r\n\r\n" for _ in range(8)
    )
    source = ask(f"{service.url}/sources", {"name": "Телеграм", "code": "tg"})
    assert source.status == 201
    inquiry = {"lead_external_id": "1", "source_code": "tg", "message": "я" * 3000}
    for _ in range(4):
        bulk = ask(f"{service.url}/contacts/bulk", {"contacts": [inquiry] * 100})
        assert bulk.status == 200
    with clients(service, many, count=WORKERS * THREADS, receives=4096):
        since = time.monotonic()
        while time.monotonic() - since < 8:
            assert ask(f"{service.url}/health").seconds < 28


def test_a_request_that_does_not_come_to_its_end_is_a_408(service):
    # Of one that is gathered, a byte now and then; of one that has a thread, nothing more.
    with connected(service) as gathered, connected(service) as threaded:
        threaded.sendall(HEAD + b"Content-Length: 900000\r\n\r\n" + b" " * 400_000)
        gathered.sendall(STARTS_A_HEAD)
        gathered.settimeout(0.5)
        since, said = time.monotonic(), b""
        while not said:
            assert time.monotonic() - since < 40
            with contextlib.suppress(TimeoutError):
                gathered.sendall(b"o")
                said = gathered.recv(1000)
        assert 15 < time.monotonic() - since < 30
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"request_timeout" in said
        assert re.search(rb"\r\nX-Request-ID: [0-9a-f]{32}\r\n", said)
        answer = http.client.HTTPResponse(threaded)
        answer.begin()
        assert answer.status == 408
        assert b"request_timeout" in answer.read()


def test_a_body_that_is_too_large_is_answered_while_it_is_sent(service):
    answer, text = answer_to(service, HEAD + b"Content-Length: 2097152\r\n\r\n" + b"x" * 2097152)
    assert (answer.status, json.loads(text)["errors"][0]["code"]) == (413, "body_too_large")


def test_half_a_request_is_not_obeyed(service):
    # A whole object, but not the whole body.
    with connected(service) as client:
        client.sendall(HEAD + b'Content-Length: 300\r\n\r\n{"name": "Half"}')
        client.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 400


def test_a_body_in_parts_arrives_whole(service):
    body = json.dumps({"name": "Анна", "unknown": "x" * 600_000}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with connected(service) as client:
        for start in range(0, len(request), 100_000):
            client.sendall(request[start : start + 100_000])
            time.sleep(0.02)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 201


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n", 400),
        (b"what is this?\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nExpect: beer\r\n\r\n", 417),
        (IS_REFUSED, 411),
        (HEAD + b"Content-Length: 100000000\r\n\r\n" + b" " * 300_000, 413),
    ],
)
def test_what_is_no_good_request_is_refused_in_the_shape_of_all_errors(service, request_, status):
    answer, text = answer_to(service, request_)
    assert answer.status == status
    assert answer.getheader("Content-Type") == "application/json"
    assert re.fullmatch("[0-9a-f]{32}", answer.getheader("X-Request-ID"))
    (error,) = json.loads(text)["errors"]
    assert set(error) == {"code", "detail", "attr"}


@pytest.mark.parametrize(
    ("received", "whole"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 00000000000000000002\r\n\r\na", False),
        (b"POST / HTTP/1.1\r\nContent-Length:2\r\n\r\nab", True),
        (b"POST / HTTP/1.1\r\nX-Content-Length: 9\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\n\r\nContent-Length: 9\r\n", True),
        (b"a" * 256 * 1024, True),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n" + b"a" * 256 * 1024, True),
    ],
)
def test_when_a_request_is_there(received, whole):
    assert is_whole(bytearray(received)) is whole


def test_kept_connections_that_rest_keep_nobody_out(tmp_path):
    # Few enough to have asked before the first of them has rested for too long.
    most = 40
    service = Service(
        f"sqlite:///{tmp_path}/db.sqlite3",
        workers=1,
        GUNICORN_CMD_ARGS=f"--worker-connections {most}",
    )
    service.migrate()
    service.start()
    try:
        with contextlib.ExitStack() as kept:
            # As many as a worker takes, each of which is told whether it may ask again.
            told = [ask_and_stay(kept.enter_context(connected(service))) for _ in range(most)]
            assert ask(f"{service.url}/health").seconds < 2
        assert {"keep-alive", "close"} == set(told)
    finally:
        service.kill()


def ask_and_stay(client):
    """Unless the answer says that there will be no other."""
    client.settimeout(10)
    client.sendall(ASKS_AND_SAYS_NO_MORE)
    told = re.search(r"\r\nConnection: (\S+)", client.recv(65536).decode())[1]
    if told == "close":
        client.close()
    return told
