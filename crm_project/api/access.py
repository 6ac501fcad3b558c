"""Who may use the API."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import PermissionDenied
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
        if origin and urlsplit(origin).netloc != request.get_host():
            raise PermissionDenied
        return True


def actor_of(request: Request | HttpRequest) -> Actor:
    """Who asks, for the history."""
    user = request.user
    return Actor("user", user.get_username()) if user.is_authenticated else Actor("anonymous")
