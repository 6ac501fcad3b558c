"""Who may use the API."""

from typing import Any

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class ApiPermission(BasePermission):
    """Everybody in the first look, which listens on loopback alone; else superusers."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return settings.API_IS_OPEN or bool(request.user and request.user.is_superuser)
