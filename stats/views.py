from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.permissions import FiguresPermission
from crm_project.api.filters import MOMENT_SCHEMA
from operators.models import Operator
from sources.models import Source
from stats.filters import PeriodForm
from stats.selectors import of_source, overview
from stats.serializers import OverviewSerializer, SourceStatsSerializer


class OverviewView(APIView):
    http_method_names = ["get", "head"]
    permission_classes = [FiguresPermission]
    queryset = Operator.objects.none()

    @extend_schema(summary="Show the whole house", responses=OverviewSerializer)
    def get(self, request: Request) -> Response:
        """The whole house at this moment."""
        return Response(overview())


class SourceStatsView(APIView):
    http_method_names = ["get", "head"]
    permission_classes = [FiguresPermission]
    queryset = Source.objects.none()

    @extend_schema(
        summary="Show a source and its operators' shares",
        responses=SourceStatsSerializer,
        parameters=[
            OpenApiParameter(
                name,
                MOMENT_SCHEMA,
                description=f"{text} ISO 8601, rounded down to the hour, UTC.",
            )
            for name, text in (("since", "Created from then on."), ("until", "Created before."))
        ],
    )
    def get(self, request: Request, pk: int) -> Response:
        """A source's contacts, and how its operators shared them."""
        source = Source.objects.get(pk=pk)
        form = PeriodForm(request.query_params)
        if not form.is_valid():
            raise ValidationError(form.errors)
        return Response(of_source(source, form.period()))
