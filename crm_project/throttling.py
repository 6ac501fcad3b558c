"""How often one may ask."""

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


class ThrottleMiddleware:
    """Count the request, once, and answer 429 in place of the view where there were too many.

    It is the API key's, else that of who is signed in, else the address's: a wrong key counts
    against the address, and nobody pays for others who come from theirs.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name, events = whose(request)
        limit = Limit(events, 60)
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
    if request.path_info.startswith(FREE) or not (per_key or per_address):
        return "", 0
    if key := getattr(request, "api_key", None):
        return f"key {key.pk}", per_key
    # Asks the database for who sends a session's cookie, and nobody else.
    if request.user.is_authenticated:
        return f"user {request.user.pk}", per_key
    return f"address {client_address(request)}", per_address
