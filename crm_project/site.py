"""The back office as a whole: its pages beside those of the models, and which comes first."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from contacts import desk
from operators.roles import is_only_operator


class CrmAdminSite(UnfoldAdminSite):
    def get_urls(self) -> list[URLPattern]:
        return desk.urls(self.admin_view) + super().get_urls()

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An operator's first page is what there is to do."""
        if is_only_operator(request.user):
            return redirect("admin:desk")
        return super().index(request, extra_context)
