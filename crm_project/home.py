"""The page for people at `/`."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from access.permissions import may_see_figures
from stats.selectors import overview


@csrf_exempt
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Where to go, and how things stand; the page refreshes itself from `/stats`.

    Who may not see the figures gets a way to sign in, as a 401.
    """
    if not may_see_figures(request):
        return render(request, "home.html", {"stats": None}, status=401)
    return render(request, "home.html", {"stats": overview()})


@csrf_exempt
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers look for it here on pages that name none."""
    return redirect(static("crm_project/icon.svg"))
