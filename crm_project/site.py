"""The back office: the theme's admin, with pages of our own beside those of the models."""

from typing import Any

from django.core.paginator import EmptyPage, PageNotAnInteger
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from contacts import desk
from crm_project.signing_in import SignInForm
from operators.roles import is_only_operator
from stats.dashboard_views import fairness_part, live_part


class CrmAdminSite(UnfoldAdminSite):
    """`admin.site`, wherever Django or an app speaks of it."""

    index_title = _("Overview")
    index_template = "admin/dashboard/index.html"
    login_form = SignInForm

    def extra_urls(self) -> list[URLPattern]:
        """The addresses of our own pages; the theme puts them before those of the models."""
        return [
            *desk.urls(self.admin_view),
            path("dashboard/", self.admin_view(live_part), name="dashboard"),
            path("dashboard/fairness/", self.admin_view(fairness_part), name="dashboard_fairness"),
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The theme's, with the status that says to programs what the form says to people."""
        response = super().login(request, extra_context)
        # A redirect has neither context nor form.
        form = (getattr(response, "context_data", None) or {}).get("form")
        if wait := getattr(form, "wait", 0):
            response.status_code = 429
            response["Retry-After"] = str(wait)
        return response

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The theme's, for which a page that is not there would be an error of ours."""
        try:
            return super().search(request, extra_context)
        except (PageNotAnInteger, EmptyPage) as error:
            raise Http404 from error

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An operator's first page is what there is to do."""
        if is_only_operator(request.user):
            return redirect("admin:desk")
        return super().index(request, extra_context)
