"""The back office: the theme's admin, with pages of our own beside those of the models."""

from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from stats.dashboard_views import fairness_part, live_part


class CrmAdminSite(UnfoldAdminSite):
    """`admin.site`, wherever Django or an app speaks of it."""

    index_title = _("Overview")
    index_template = "admin/dashboard/index.html"

    def extra_urls(self) -> list[URLPattern]:
        """The addresses of our own pages; the theme puts them before those of the models."""
        return [
            path("dashboard/", self.admin_view(live_part), name="dashboard"),
            path("dashboard/fairness/", self.admin_view(fairness_part), name="dashboard_fairness"),
        ]
