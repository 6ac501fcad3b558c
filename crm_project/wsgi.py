"""The WSGI application that gunicorn serves."""

import os
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils.http import parse_header_parameters

from crm_project.patience import serve_from

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_project.settings")


class Request(WSGIRequest):
    """Django's, that takes everything for UTF-8. Django believes whatever charset is named, and
    some of those that Python knows are none, or make texts that no database can hold.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            kind, params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (TypeError, ValueError, LookupError):  # parameters in parts, or of no charset
            kind, params, meta["CONTENT_TYPE"] = "", {}, ""
        self.content_type, self.content_params = kind, params


application = get_wsgi_application()
application.request_class = Request
serve_from(connections.settings["default"])
