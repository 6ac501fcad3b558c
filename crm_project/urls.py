"""Every address of the service. None of the API has a slash at its end
(`TrailingSlashMiddleware` lets one be there).
"""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import (
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)

from crm_project.api.openapi import OpenApiView
from crm_project.health import health, ready
from crm_project.home import favicon, home

urlpatterns = [
    path("", home, name="home"),
    # First, as they are tried in turn, what is asked for most.
    path("", include("contacts.urls")),
    path("", include("operators.urls")),
    path("", include("sources.urls")),
    path("", include("contacts.events.urls")),
    path("", include("leads.urls")),
    path("", include("stats.urls")),
    path("admin/", admin.site.urls),
    path("openapi.json", OpenApiView.as_view(), name="openapi"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="openapi"), name="redoc"),
    path("favicon.ico", favicon),
    path("health", health),
    path("health/ready", ready),
]

handler400 = "crm_project.responses.bad_request"
handler403 = "crm_project.responses.permission_denied"
handler404 = "crm_project.responses.not_found"
handler500 = "crm_project.responses.server_error"
