"""`/metrics`, for Prometheus."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.request import Request
from rest_framework.views import APIView

from access.permissions import FiguresPermission
from operators.models import Operator
from stats.metrics import Everything


class MetricsView(APIView):
    """For whoever may see the statistics, and for who shows the token of the settings: asking
    whose a key or a session is takes a database, which may be what is to be watched.
    """

    http_method_names = ["get", "head"]
    permission_classes = [FiguresPermission]
    queryset = Operator.objects.none()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(generate_latest(Everything()), CONTENT_TYPE_LATEST)

    def get_authenticators(self) -> list[Any]:
        return [] if self._has_token() else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self._has_token() else super().get_permissions()

    def _has_token(self) -> bool:
        token = settings.METRICS_TOKEN
        if not token or self.request is None:  # drf-spectacular looks at the view without one
            return False
        given = self.request.headers.get("Authorization", "")
        return constant_time_compare(given, f"Bearer {token}")
