"""Events do not reach into the network of this machine, by whatever name."""

import ipaddress
import socket
import time

import pytest

from contacts.events import addresses
from contacts.events.addresses import parsed, resolved
from contacts.events.failures import SendingError
from contacts.events.sending import post
from contacts.events.tests.receiver import receiving


@pytest.fixture(autouse=True)
def _nothing_is_allowed(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = []


def allow(settings, *networks):
    settings.WEBHOOK_ALLOWED_NETWORKS = [ipaddress.ip_network(each) for each in networks]


def outcome(url):
    """The addresses that may be connected to, or what is wrong."""
    try:
        return resolved(parsed(url))
    except SendingError as error:
        return error.failure.value


INSIDE = [
    "127.0.0.1",
    "127.1.2.3",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",  # noqa: S104  # is refused
    "0",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "localhost",
]


@pytest.mark.parametrize("host", INSIDE)
def test_what_is_inside_is_refused(host):
    assert outcome(f"https://{host}/") == "forbidden_address"


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:4700::1111]", "1.1.1.1"])
def test_what_is_outside_is_not(host):
    assert outcome(f"https://{host}/") == [host.strip("[]")]


def named(monkeypatch, *found):
    """Let every name mean these addresses."""

    def ask(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", ask)


@pytest.mark.parametrize(
    "found", [["10.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]]
)
def test_a_name_is_what_all_its_addresses_are(monkeypatch, found):
    named(monkeypatch, *found)
    assert outcome("https://example.com/") == "forbidden_address"


def test_the_address_that_was_looked_at_is_connected_to(monkeypatch, settings):
    allow(settings, "127.0.0.0/8")
    asked = []
    real = socket.getaddrinfo

    def ask(host, port, *args, **kwargs):
        asked.append(host)
        # At a second look the name would mean another.
        if host == "rebound.example":
            host = "127.0.0.1" if asked.count(host) == 1 else "10.0.0.1"
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "rebound.example")
        assert post(url, {}, b"{}").status == 204
    assert asked.count("rebound.example") == 1
    assert receiver.got[0][1]["Host"].startswith("rebound.example:")


def test_a_network_that_is_allowed_may_be_reached(settings):
    allow(settings, "10.0.0.0/8", "fd00::/8")
    assert outcome("https://10.1.2.3/") == ["10.1.2.3"]
    assert outcome("https://[fd00::1]/") == ["fd00::1"]
    assert outcome("https://[::ffff:10.1.2.3]/") == ["::ffff:10.1.2.3"]
    assert outcome("https://192.168.1.1/") == "forbidden_address"


def test_in_production_only_an_allowed_network_is_spoken_to_in_the_clear(settings):
    assert outcome("http://1.1.1.1/") == ["1.1.1.1"]
    settings.PRODUCTION = True
    assert outcome("http://1.1.1.1/") == "plain_http"
    assert outcome("https://1.1.1.1/") == ["1.1.1.1"]
    allow(settings, "10.0.0.0/8")
    assert outcome("http://10.0.0.1/") == ["10.0.0.1"]
    assert outcome("http://1.1.1.1/") == "plain_http"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://:password@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:port/",
        "https://exa mple.com/",
        "https://example.com/\nHost: x",
        "https://example.com/\x00",
        "https://[::1/",
        "https://" + "a" * 70 + ".com/",
    ],
)
def test_what_is_no_address_is_none(url):
    assert parsed(url) is None


def test_a_path_in_any_letters_is_sent(settings):
    allow(settings, "127.0.0.0/8")
    with receiving() as receiver:
        url = receiver.url.removesuffix("hook") + "приём?из=срм&a=b%20c"
        assert post(url, {}, b"{}").status == 204
    assert receiver.got[0][0] == (
        "/%D0%BF%D1%80%D0%B8%D1%91%D0%BC?%D0%B8%D0%B7=%D1%81%D1%80%D0%BC&a=b%20c"
    )


def failure(url, seconds=2.0):
    began = time.monotonic()
    with pytest.raises(SendingError) as raised:
        post(url, {}, b"{}", seconds=seconds)
    assert time.monotonic() - began < seconds + 3
    return raised.value.failure.value


def raw(*parts, pause=0.0):
    """An answer written as it is."""

    def answer(handler):
        try:
            for part in parts:
                handler.wfile.write(part)
                time.sleep(pause)
        except OSError:
            pass
        handler.close_connection = True

    return answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (raw(b"nothing like it\r\n\r\n"), "no_http"),
        (raw(b"HTTP/1.1 2xx\r\n\r\n"), "no_http"),
        (raw(b"HTTP/1.1 200 OK\r\nX: y\r\n"), "no_http"),
        (raw(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 100_000), "no_http"),
        (raw(*[b"H"] * 100, pause=0.1), "timeout"),
        (raw(b"", pause=5), "timeout"),
    ],
)
def test_a_strange_answer_is_none(settings, answer, expected):
    allow(settings, "127.0.0.0/8")
    with receiving(answer) as receiver:
        assert failure(receiver.url) == expected


def test_an_announcement_is_not_the_answer(settings):
    allow(settings, "127.0.0.0/8")
    answer = raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\n\r\n")
    with receiving(answer) as receiver:
        assert post(receiver.url, {}, b"{}").status == 201


def test_of_a_long_body_nothing_is_waited_for(settings):
    allow(settings, "127.0.0.0/8")
    answer = raw(b"HTTP/1.1 200 OK\r\n\r\n", *[b"y" * 1000] * 100, pause=0.1)
    with receiving(answer) as receiver:
        began = time.monotonic()
        assert post(receiver.url, {}, b"{}").status == 200
        assert time.monotonic() - began < 5


def test_who_is_not_there_refuses(settings):
    allow(settings, "127.0.0.0/8")
    with receiving() as receiver:
        url = receiver.url
    assert failure(url) == "refused"


def test_who_speaks_no_tls_is_not_trusted(settings):
    allow(settings, "127.0.0.0/8")
    with receiving() as receiver:
        url = receiver.url.replace("http:", "https:")
        assert failure(url) in ("tls", "unreachable")
        assert receiver.got == []
