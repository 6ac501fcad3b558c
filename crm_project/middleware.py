"""What every request passes before its view."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
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


class LanguageMiddleware(LocaleMiddleware):
    """Django's, which looks for languages in addresses, too: ours have none."""

    def process_request(self, request: HttpRequest) -> None:
        translation.activate(translation.get_language_from_request(request))
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        patch_vary_headers(response, ["Accept-Language"])
        response.headers.setdefault("Content-Language", translation.get_language())
        return response


class NoNullMiddleware:
    """Refuse what PostgreSQL cannot even compare with a text, where no serializer looks at it:
    in a cookie, and in the query of a page.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        texts = list(request.COOKIES.values())
        if request.path_info.startswith(SLASHED):
            texts += [value for _name, values in request.GET.lists() for value in values]
        if any("\0" in text for text in texts):
            return error_response(400, "invalid", _("Null characters are not allowed."))
        return self.get_response(request)


class ContentSecurityPolicyMiddleware:
    """Tell browsers what a page may load and run: `SECURE_CSP`, as Django 6 names it, loosened
    where `CSP_LOOSENED` says so for the beginning of a path.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.default = _policy(settings.SECURE_CSP)
        self.loosened = {
            path: _policy(settings.SECURE_CSP | directives)
            for path, directives in settings.CSP_LOOSENED.items()
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        path = request.path_info
        policies = (text for start, text in self.loosened.items() if path.startswith(start))
        response.headers.setdefault("Content-Security-Policy", next(policies, self.default))
        return response


def _policy(directives: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} {' '.join(values)}" for name, values in directives.items())


class AdminMessageMiddleware(MessageMiddleware):
    """Messages for the next page, of which there are some in the back office alone."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        answer: HttpResponseBase = super().__call__(request)
        return answer


class TrailingSlashMiddleware:
    """Let `/operators/` answer as `/operators` does, without a redirect."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.endswith("/") and path != "/" and not path.startswith(SLASHED):
            request.path_info = path[:-1]
        return self.get_response(request)
