"""The first page of the back office, and the parts of it that refresh themselves."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from access.permissions import FIGURES
from stats.dashboard import fairness, live


def add_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the index with the dashboard; without it for who may not see the figures."""
    if request.user.has_perms(FIGURES):
        context["live"] = live(timezone.now())
    return context


# Compressed, because the parts are fetched again and again, by everybody who looks.
@gzip_page
@require_safe
def live_part(request: HttpRequest) -> HttpResponse:
    """What changes by the second."""
    _require_permissions(request)
    return render(request, "admin/dashboard/live.html", {"live": live(timezone.now())})


@gzip_page
@require_safe
def fairness_part(request: HttpRequest) -> HttpResponse:
    """The fairness of the sources."""
    _require_permissions(request)
    return render(request, "admin/dashboard/fairness.html", {"fairness": fairness(timezone.now())})


def _require_permissions(request: HttpRequest) -> None:
    if not request.user.has_perms(FIGURES):
        raise PermissionDenied
