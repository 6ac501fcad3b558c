"""Answers in the one shape of errors, for what goes wrong outside the API's views."""

import sys
from base64 import b64encode
from hashlib import sha256
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework.exceptions import APIException

from crm_project.faults import fault_of, log_fault

# Without a character that a template would write otherwise.
FAULT_STYLE = (
    ":root{color-scheme:light dark}"
    "body{max-width:40rem;margin:4rem auto;padding:0 1rem;font:1.1rem/1.5 system-ui,sans-serif}"
    "a{border:1px solid;border-radius:.5rem;color:inherit;padding:.5rem 1rem;text-decoration:none}"
)
_digest = b64encode(sha256(FAULT_STYLE.encode()).digest()).decode()
# This style, and nothing else.
FAULT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_digest}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


def error_response(status: int, code: str, detail: str) -> JsonResponse:
    """An error of the request as a whole: it names no field."""
    kind = "server_error" if status >= 500 else "client_error"
    error = {"code": code, "detail": detail, "attr": None}
    return JsonResponse(
        {"type": kind, "errors": [error]}, status=status, json_dumps_params={"ensure_ascii": False}
    )


def _is_page(request: HttpRequest) -> bool:
    """Will a person look at it? The page at `/` is asked for by programs too."""
    if request.path == "/":
        return "text/html" in request.headers.get("Accept", "")
    return request.path.startswith("/admin/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # Of a foreign Host, what it asked for is not looked at, and its name is not repeated.
    if isinstance(exception, DisallowedHost):
        words = _("This name of the service is not allowed (CRM_ALLOWED_HOSTS).")
    else:
        words = _("The request cannot be understood.")
    return error_response(400, "bad_request", words)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_page(request):
        return defaults.permission_denied(request, exception)
    return error_response(403, "permission_denied", _("You may not do this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_page(request):
        return defaults.page_not_found(request, exception)
    return error_response(404, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Of whatever no view has handled, the errors of middleware among it."""
    error = sys.exc_info()[1]
    if error and (fault := fault_of(error)):
        response = fault_response(request, fault)
        log_fault(error, response)
        return response
    if _is_page(request):
        # Without the request, and so without asking a database who is signed in.
        page = render_to_string("500.html", {"request_id": id_of(request)})
        return HttpResponseServerError(page)
    return error_response(500, "error", unforeseen(request))


def fault_response(request: HttpRequest, fault: APIException) -> HttpResponse:
    """Asks no database: neither who is signed in, nor what the back office shows around a page."""
    response: HttpResponse
    if _is_page(request):
        page = render_to_string("fault.html", {"words": fault.detail, "style": FAULT_STYLE})
        response = HttpResponse(page, status=fault.status_code)
        response["Content-Security-Policy"] = FAULT_POLICY
    else:
        response = error_response(fault.status_code, fault.default_code, str(fault.detail))
    if wait := getattr(fault, "wait", None):
        response["Retry-After"] = str(wait)
    return response


def unforeseen(request: Any) -> str:
    """All that is told of an error of ours: by which id the log has it."""
    text = _("Something went wrong on our side. Its number in the log is: %(id)s")
    return text % {"id": id_of(request)}


def id_of(request: Any) -> str:
    return getattr(request, "id", "")
