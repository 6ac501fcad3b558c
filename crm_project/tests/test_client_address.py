"""Whose address counts: what the proxies say, never what the client says of itself."""

import pytest
from django.test import RequestFactory

from crm_project.client_address import client_address

PEER = "192.0.2.1"


def address(forwarded=None, peer=PEER):
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, None, PEER),
        (0, "203.0.113.9", PEER),
        (1, "203.0.113.9", "203.0.113.9"),
        # What stands left of the proxies' own entries, the client wrote.
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.7,198.51.100.8,203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        # One proxy was passed by: nobody who can be believed says where it came from.
        (2, "203.0.113.9", PEER),
        (1, None, PEER),
        (1, "", PEER),
    ],
)
def test_the_outermost_proxy_is_believed_and_nobody_before_it(settings, proxies, forwarded, seen):
    settings.PROXIES = proxies
    assert address(forwarded) == seen


GARBAGE = [
    *("unknown", "203.0.113", "203.0.113.009", "0x7f.1", "2130706433", "٣.1.1.1", "-1", "", "\0"),
    *("203.0.113.9:80", "[2001:db8::1]", "::%", "203.0.113.9;DROP", "203.0.113.9 1.1.1.1"),
    "1" * 9999,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_what_is_no_address_is_not_believed(settings, garbage):
    settings.PROXIES = 1
    assert address(garbage) == PEER


@pytest.mark.parametrize(
    ("peer", "seen"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("", "unix"),
    ],
)
def test_a_customer_of_ipv6_is_one_however_many_addresses_they_have(peer, seen):
    assert address(peer=peer) == seen
