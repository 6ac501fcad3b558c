"""API keys as DRF and OpenAPI know them."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access.models import ApiKey

DETAILS = {
    "invalid_api_key": _("There is no such API key."),
    "api_key_expired": _("This API key has expired."),
    "api_key_revoked": _("This API key has been revoked."),
}


class ApiKeyAuthentication(BaseAuthentication):
    """By the key that `access.middleware` has read: nobody's session then counts."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        if error := request.api_key_error:
            raise AuthenticationFailed(DETAILS[error], error)
        return (AnonymousUser(), request.api_key) if request.api_key else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BackOfficeAuthentication(SessionAuthentication):
    """By the session of somebody signed in; who sends none need not be looked for."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        # For `Vary: Cookie`, which is true either way.
        request.session.accessed = True
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        return super().authenticate(request)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "access.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, `crm_…`, from the back office or `manage.py api_key`.",
        }


class BackOfficeScheme(SessionScheme):
    """drf-spectacular's own, which says nothing of how one gets the cookie."""

    target_class = "access.authentication.BackOfficeAuthentication"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        words = "Nothing to type: sign in at /admin/ in this browser."
        return super().get_security_definition(auto_schema) | {"description": words}
