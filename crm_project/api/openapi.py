from django.http import HttpRequest
from drf_spectacular.views import SpectacularJSONAPIView


class OpenApiView(SpectacularJSONAPIView):
    """The one version there is: a parameter of the request must not name the file it comes as."""

    def _get_version_parameter(self, request: HttpRequest) -> None:
        return None
