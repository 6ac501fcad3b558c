"""The id of every request, its log line and what is measured of it."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.functional import LazyObject

from crm_project import metrics
from crm_project.logs import Serving, serving

logger = logging.getLogger(__name__)

HEADER, KEPT_AS = "X-Request-ID", "HTTP_X_REQUEST_ID"
FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Asked for again and again, and of no interest.
QUIET = {"health", "health/ready", "static"}
# A longer one is no id of ours, but may be a telephone number.
ID = re.compile("[0-9]{1,9}")


class RequestLogMiddleware:
    """Give the request an `id`, told in the answer as `X-Request-ID` and on each log line written
    meanwhile, and write one line when it is answered.

    The outermost, so that what the others answer has it as well.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        work = Work(request)
        request.id = work.serving.id  # type: ignore[attr-defined]  # our own, beside Django's
        with work.under_way():
            response: Any = self.get_response(request)
        response.headers[HEADER] = work.serving.id
        if not response.streaming:
            work.tell(response, size=len(response.content))
        elif isinstance(response, FileResponse):
            # The server may send the file by itself: wrapped, it could not.
            work.tell(response, size=int(response.get("Content-Length", "0")))
        else:
            response.streaming_content = Streamed(response, work)
        return response


class Work:
    """What a request costs while it is `under_way`."""

    def __init__(self, request: HttpRequest) -> None:
        given = request.META.get(KEPT_AS, "")
        self.serving = Serving(given if FORM.fullmatch(given) else uuid4().hex)
        self.request = request
        self.begun = perf_counter()
        self.queries = 0
        self.database_seconds = 0.0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        token = serving.set(self.serving)
        try:
            with connection.execute_wrapper(self._execute):
                yield
        finally:
            serving.reset(token)

    def _execute(self, execute: Callable[..., Any], *args: Any) -> Any:
        begun = perf_counter()
        try:
            return execute(*args)
        finally:
            self.queries += 1
            self.database_seconds += perf_counter() - begun

    def tell(self, response: HttpResponseBase, *, size: int) -> None:
        """Write the line of the request, and count it."""
        seconds = perf_counter() - self.begun
        method = self.request.method if self.request.method in METHODS else "other"
        route, ids = route_of(self.request)
        metrics.observe_request(
            method=method,
            route=route,
            status=response.status_code,
            seconds=seconds,
            database_seconds=self.database_seconds,
        )
        level = logging.DEBUG if route in QUIET else logging.INFO
        if not logger.isEnabledFor(level):
            return
        fields = self.serving.noted | {
            "method": method,
            "route": route,
            **({"ids": ids} if ids else {}),
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 1),
            "database_ms": round(self.database_seconds * 1000, 1),
            "queries": self.queries,
            "bytes": size,
            **who_asked(self.request),
        }
        with self.under_way():
            logger.log(level, "request", extra={"fields": fields})


class Streamed:
    """The parts of an answer that is made while it is sent; told of when that has ended."""

    def __init__(self, response: Any, work: Work) -> None:
        self.parts: Iterator[bytes] = iter(response.streaming_content)
        self.response = response
        self.work = work
        self.size = 0
        self.whole = self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self.work.under_way():
            try:
                part = next(self.parts)
            except StopIteration:
                self.whole = True
                raise
        self.size += len(part)
        return part

    def close(self) -> None:
        """Called by the response, also where the client has gone or making a part failed."""
        if self.closed:
            return
        self.closed = True
        self.work.serving.noted["whole"] = self.whole
        self.work.tell(self.response, size=self.size)


def route_of(request: HttpRequest) -> tuple[str, dict[str, int]]:
    """The pattern of the address and the ids in it: what else stands there may be anything."""
    if request.path_info.startswith(settings.STATIC_URL):
        return "static", {}
    match = request.resolver_match
    if match is None:  # answered before anybody looked
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return "other", {}
    ids = {name: int(value) for name, value in match.kwargs.items() if ID.fullmatch(str(value))}
    return match.route or "/", ids


def who_asked(request: HttpRequest) -> dict[str, Any]:
    """The API key or the user, as far as somebody has looked already: a log line asks nothing."""
    if key := getattr(request, "api_key", None):
        return {"key": key.prefix}
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    return {"user": user.pk} if user and user.pk else {}
