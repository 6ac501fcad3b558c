"""Whom a request comes from, as far as the network can tell."""

import ipaddress
import logging
from functools import cache

from django.conf import settings
from django.http import HttpRequest

logger = logging.getLogger(__name__)

# A provider gives a customer at least so much of IPv6: who holds one address holds all of them.
NETWORK_BITS = 64


def client_address(request: HttpRequest, *, network_bits: int = NETWORK_BITS) -> str:
    """The client's IPv4 address or IPv6 network; "unix" for a socket that has no address.

    Behind `PROXIES` proxies, each of which adds whom it was asked by at the end of
    X-Forwarded-For, it is the one that the outermost of them added. What stands left of that is
    the client's own word, and is never looked at.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.PROXIES <= len(forwarded):
        named = _parsed(forwarded[-settings.PROXIES], network_bits)
        if named:
            return named
    if settings.PROXIES:
        _warn()
    return _parsed(peer, network_bits) or "unix"


@cache  # Once is enough.
def _warn() -> None:
    logger.warning(
        "A request came without the X-Forwarded-For that CRM_PROXIES promises: unless it came by"
        " the side door, everybody is counted as one. See docs/deployment.md."
    )


def _parsed(text: str, network_bits: int) -> str | None:
    """None for what is no address."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    # Without the name of an interface, which an address may carry behind a "%".
    return str(ipaddress.IPv6Network((int(address), network_bits), strict=False))
