"""Who may use the API."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from crm_project.actor import Actor


class ApiPermission(BasePermission):
    """Everybody in the first look, which listens on loopback alone; else superusers."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if settings.API_IS_OPEN:
            return self._from_here(request)
        return bool(request.user and request.user.is_superuser)

    @staticmethod
    def _from_here(request: Request) -> bool:
        """Raise PermissionDenied for what a page of another site makes a browser send us."""
        origin = request.headers.get("Origin")
        if origin and _host_of(origin) != request.get_host():
            raise PermissionDenied
        return True


def _host_of(origin: str) -> str | None:
    """None where it is no address at all."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


class BasicAuthentication(authentication.BasicAuthentication):
    """DRF's, to which a name that no database can hold is nobody's."""

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        if "\0" in userid:
            raise AuthenticationFailed
        return super().authenticate_credentials(userid, password, request)


def actor_of(request: Request | HttpRequest) -> Actor:
    """Who asks, for the history."""
    user = request.user
    return Actor("user", user.get_username()) if user.is_authenticated else Actor("anonymous")
