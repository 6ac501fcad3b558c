"""Errors of the domain: what services raise, with codes that clients may rely on."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from rest_framework.exceptions import APIException, NotAuthenticated, ValidationError


class CredentialNeeded(NotAuthenticated):
    """The request names nobody."""

    default_detail = _(
        "An API key is needed in the header Authorization: Bearer …, or a sign-in to the back"
        " office."
    )


class Conflict(APIException):
    """The request is well formed, but the present state forbids it."""

    status_code = 409
    default_code = "conflict"
    default_detail = _("Somebody changed this at the same time. Try again.")


class StaleError(Exception):
    """What told us whom to lock no longer holds: let go of all locks and begin again."""


class Busy(APIException):
    """Somebody else was in the way for too long; nothing was written. `wait` is in seconds."""

    status_code = 503
    default_code = "busy"
    default_detail = _("The service is busy. Try again in a moment.")
    wait = 1


class DatabaseUnavailable(APIException):
    """The database cannot be reached, or not be written to. `wait` is in seconds."""

    status_code = 503
    default_code = "database_unavailable"
    default_detail = _("The database cannot be used at the moment. Try again later.")
    wait = 5


class RequestTimeout(APIException):
    """The body did not arrive in time, or not as a whole."""

    status_code = 408
    default_code = "request_timeout"
    default_detail = _("The request did not arrive in time.")


class TooManyRequests(APIException):
    """More requests than are answered; another one may be made after `wait` seconds."""

    status_code = 429
    default_code = "throttled"

    def __init__(self, wait: int) -> None:
        told = ngettext(
            "Too many requests. Try again in %(seconds)d second.",
            "Too many requests. Try again in %(seconds)d seconds.",
            wait,
        )
        super().__init__(told % {"seconds": wait})
        self.wait = wait


def invalid(field: str, message: str, *, code: str = "invalid") -> ValidationError:
    """A 400 that names the field."""
    return ValidationError({field: [message]}, code=code)
