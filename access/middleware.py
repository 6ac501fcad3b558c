"""Which program sent a request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from access.models import ApiKey
from access.services import find_key, note_use

State = ApiKey.State
# Pages, files and probes, which must not ask the database for the sake of a header.
TAKE_NO_KEYS = ("/admin/", "/static/", "/health")
REFUSED = {State.EXPIRED: "api_key_expired", State.REVOKED: "api_key_revoked"}


class ApiKeyMiddleware:
    """Read `Authorization: Bearer <key>`: sets `request.api_key`, None without a valid one, and
    `request.api_key_error`, the code of why one was refused, or None. It refuses nothing itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.api_key, request.api_key_error = None, None
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer" and not request.path_info.startswith(TAKE_NO_KEYS):
            request.api_key, request.api_key_error = _read(text.strip(" "))
        return self.get_response(request)


def _read(text: str) -> tuple[ApiKey | None, str | None]:
    key, now = find_key(text), timezone.now()
    if key is None:
        return None, "invalid_api_key"
    if error := REFUSED.get(key.state(now)):
        return None, error
    note_use(key, now=now)
    return key, None
