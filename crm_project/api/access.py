"""Who uses the API; what they may is in `access.permissions`."""

from django.http import HttpRequest
from rest_framework.request import Request

from crm_project.actor import Actor


def actor_of(request: Request | HttpRequest) -> Actor:
    """Who asks, for the history: of the API, whoever its key says; a page takes no keys."""
    if key := getattr(request, "auth", None):
        return Actor("api_key", key.name)
    user = request.user
    return Actor("user", user.get_username()) if user.is_authenticated else Actor("anonymous")
