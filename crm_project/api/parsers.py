"""JSON in."""

from collections.abc import Mapping
from typing import Any, BinaryIO

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """DRF's parser, to which a nesting of a thousand levels is bad input, not a crash."""

    def parse(
        self,
        stream: BinaryIO,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            body = super().parse(stream, media_type, {"encoding": "utf-8"})
        except ParseError as error:
            raise ParseError(_("The body is not valid JSON in UTF-8.")) from error
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        if body is None:
            raise ParseError(_("The body must not be null."))
        return body
