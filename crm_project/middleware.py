"""What every request passes before its view."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from crm_project.responses import error_response

Handler = Callable[[HttpRequest], HttpResponse]

# Pages of these have a slash at the end, as Django makes them.
SLASHED = ("/admin/", "/static/")


class BodyLimitMiddleware:
    """Refuse a body that is too large, or of unknown length, before anybody reads it.

    Django's own limit is one for all paths, and is met only when a view reads the body.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info.rstrip("/")
        limit = settings.BODY_LIMITS_BYTES.get(path, settings.BODY_LIMIT_BYTES)
        if request.path_info.startswith(SLASHED):
            limit = settings.UPLOAD_LIMIT_BYTES
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return error_response(411, "length_required", _("State the Content-Length."))
        if not length.isdigit() or int(length) > limit:
            return error_response(
                413,
                "body_too_large",
                _("The body may have %(limit)d bytes at most.") % {"limit": limit},
            )
        return self.get_response(request)


class ErrorShapeMiddleware:
    """Give a 405 of a page the shape of the API's errors; those of the API have it already."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        plain = response.get("Content-Type") != "application/json"
        if response.status_code != 405 or not plain or request.path_info.startswith(SLASHED):
            return response
        shaped = error_response(405, "method_not_allowed", _("This method is not allowed here."))
        shaped["Allow"] = response.get("Allow", "GET, HEAD")
        return shaped


class TrailingSlashMiddleware:
    """Let `/operators/` answer as `/operators` does, without a redirect."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.endswith("/") and path != "/" and not path.startswith(SLASHED):
            request.path_info = path[:-1]
        return self.get_response(request)
