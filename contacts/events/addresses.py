"""Where events may be sent: not into the network of this machine, unless that is wanted.

Else whoever may name an address could let this service ask what nobody else can reach.
"""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from contacts.events.failures import Failure, SendingError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# An IPv4 address is in the last four bytes: of NAT64, and as it was written before.
LAST_FOUR_BYTES = [
    ipaddress.IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")
]
PORTS = {"https": 443, "http": 80}


def parsed(url: str) -> SplitResult | None:
    """The parts of an address that events can be sent to; None: it is none."""
    if any(character <= " " or character == "\x7f" for character in url):
        return None
    try:
        parts = urlsplit(url)
        named = parts.scheme in PORTS and parts.hostname and parts.port != 0
        if not named or parts.username is not None or parts.password is not None:
            return None
        (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return parts


def objection(url: str) -> Failure | None:
    """What is wrong with it, as far as can be seen without asking for its name; None: nothing."""
    parts = parsed(url)
    if parts is None:
        return Failure.BAD_ADDRESS
    try:
        literal = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        plain = parts.scheme == "http" and settings.PRODUCTION
        return Failure.PLAIN if plain and not settings.WEBHOOK_ALLOWED_NETWORKS else None
    return _objection_to(literal, parts.scheme)


def resolved(parts: SplitResult) -> Sequence[str]:
    """The addresses of the host; raises SendingError where there is none, or one is forbidden.

    To be connected to as they are: a name may mean another address a moment later.
    """
    port = parts.port or PORTS[parts.scheme]
    try:
        # "1" or "0x7f000001" for an address are understood as well, and then checked.
        name = (parts.hostname or "").encode("idna").decode()
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SendingError(Failure.NO_SUCH_NAME) from error
    hosts = [str(address[0]) for *_, address in found]
    for host in hosts:
        if wrong := _objection_to(ipaddress.ip_address(host), parts.scheme):
            raise SendingError(wrong)
    return hosts


def _objection_to(address: Address, scheme: str) -> Failure | None:
    """An allowed network may be spoken to in the clear; others may not, in production."""
    address = _meant(address)
    if any(address in network for network in settings.WEBHOOK_ALLOWED_NETWORKS):
        return None
    local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    if local or not address.is_global or address.is_multicast or address.is_reserved:
        return Failure.FORBIDDEN
    return Failure.PLAIN if scheme == "http" and settings.PRODUCTION else None


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does; else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in LAST_FOUR_BYTES) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or [address])[-1]
