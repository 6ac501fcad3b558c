"""Sends a request as a channel would, over HTTP."""

from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener
from urllib.request import Request as HttpRequest

from sources.channels.protocol import Request

SECONDS = 15
MOST_OCTETS = 10_000


class NoAnswer(Exception):  # noqa: N818  # an outcome, not a fault of ours
    """Nobody answered, or not by HTTP."""


class _Stay(HTTPRedirectHandler):
    """To follow would turn a POST into a GET: no channel does."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def ask(request: Request, address: str) -> tuple[int, str]:
    """The status, and the beginning of the body, or where to go instead. `address` is of http or
    https. Raises NoAnswer.
    """
    query = f"?{urlencode(request.query)}" if request.query else ""
    sent = HttpRequest(  # noqa: S310  # the caller vouches for the scheme
        address + query,
        data=request.body if request.method == "POST" else None,
        headers=dict(request.headers),
        method=request.method,
    )
    try:
        answer = build_opener(ProxyHandler({}), _Stay).open(sent, timeout=SECONDS)
    except HTTPError as error:
        answer = error
    except (URLError, HTTPException, OSError) as error:
        raise NoAnswer(str(getattr(error, "reason", error))) from error
    with answer:
        body = answer.headers.get("Location") or answer.read(MOST_OCTETS).decode(errors="replace")
        return answer.status, body
