"""How often one may ask."""

import re
from collections.abc import Callable
from math import ceil

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from crm_project.client_address import client_address
from crm_project.counters import Limit, counters
from crm_project.errors import TooManyRequests
from crm_project.responses import fault_response

# What browsers and probes ask for by themselves.
FREE = ("/static/", "/health", "/favicon.ico")
# Whose view knows whether a channel is proven to have sent it, and counts the rest.
COUNTED_BY_ITSELF = re.compile("/sources/[-a-zA-Z0-9_]+/webhook")
SECONDS = 60


class ThrottleMiddleware:
    """Count the request, once, and answer 429 in place of the view where there were too many.

    It is the API key's, else that of who is signed in, else the address's: a wrong key counts
    against the address, and nobody pays for others who come from theirs.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name, events = whose(request)
        limit = Limit(events, SECONDS)
        standings = counters().count({name: limit}) if limit.events else None
        if standings is None:
            return self.get_response(request)
        standing = standings[name]
        if standing.wait:
            response = fault_response(request, TooManyRequests(ceil(standing.wait)))
        else:
            response = self.get_response(request)
        response["RateLimit-Limit"] = str(limit.events)
        response["RateLimit-Remaining"] = str(standing.remaining)
        response["RateLimit-Reset"] = str(ceil(standing.reset))
        return response


def whose(request: HttpRequest) -> tuple[str, int]:
    """What the request is counted under, and how many a minute that may make; 0: any number."""
    per_key, per_address = settings.REQUESTS_PER_MINUTE_KEY, settings.REQUESTS_PER_MINUTE_ADDRESS
    path = request.path_info
    if path.startswith(FREE) or COUNTED_BY_ITSELF.fullmatch(path):
        return "", 0
    if not (per_key or per_address):
        return "", 0
    if key := getattr(request, "api_key", None):
        return f"key {key.pk}", per_key
    # Asks the database for who sends a session's cookie, and nobody else.
    if request.user.is_authenticated:
        return f"user {request.user.pk}", per_key
    return address_of(request), per_address


def address_of(request: HttpRequest) -> str:
    return f"address {client_address(request)}"


def count_against_address(request: HttpRequest) -> None:
    """Count the request, whoever sent it, against the address. Raises TooManyRequests."""
    _count(address_of(request), settings.REQUESTS_PER_MINUTE_ADDRESS)


def count_form(request: HttpRequest) -> None:
    """Count a form that anybody can send: people send few. Raises TooManyRequests."""
    _count(f"form {client_address(request)}", settings.FORMS_PER_MINUTE_ADDRESS)


def _count(name: str, events: int) -> None:
    limit = Limit(events, SECONDS)
    standings = counters().count({name: limit}) if limit.events else None
    if standings and standings[name].wait:
        raise TooManyRequests(ceil(standings[name].wait))
