"""Answers in the one shape of errors, for what goes wrong outside the API's views."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults


def error_response(status: int, code: str, detail: str) -> JsonResponse:
    """An error of the request as a whole: it names no field."""
    kind = "server_error" if status >= 500 else "client_error"
    error = {"code": code, "detail": detail, "attr": None}
    return JsonResponse(
        {"type": kind, "errors": [error]}, status=status, json_dumps_params={"ensure_ascii": False}
    )


def _is_page(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # A foreign Host among them: what it asked for is not looked at.
    return error_response(400, "bad_request", _("The request cannot be understood."))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_page(request):
        return defaults.permission_denied(request, exception)
    return error_response(403, "permission_denied", _("You may not do this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_page(request):
        return defaults.page_not_found(request, exception)
    return error_response(404, "not_found", _("There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_page(request):
        return defaults.server_error(request)
    return error_response(500, "error", _("Something went wrong on our side."))


def too_many_requests(request: HttpRequest, seconds: int) -> HttpResponse:
    """Another one may be made after so many seconds."""
    response: HttpResponse
    if _is_page(request):
        response = render(request, "429.html", {"seconds": seconds}, status=429)
    else:
        told = _("Too many requests. Try again after %(seconds)d s.") % {"seconds": seconds}
        response = error_response(429, "throttled", told)
    response["Retry-After"] = str(seconds)
    return response
