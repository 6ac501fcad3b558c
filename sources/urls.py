from django.urls import path
from rest_framework.routers import SimpleRouter

from sources.channel_views import WebhookView
from sources.views import AssignmentViewSet, SourceViewSet
from sources.widget_views import widget_script

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("sources", SourceViewSet, basename="source")

urlpatterns = [
    *router.urls,
    path("sources/<slug:code>/webhook", WebhookView.as_view()),
    path("sources/<slug:code>/widget.js", widget_script, name="widget"),
    path("assignments", AssignmentViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "assignments/<int:operator_id>/<int:source_id>",
        AssignmentViewSet.as_view({"patch": "partial_update", "delete": "destroy"}),
    ),
]
