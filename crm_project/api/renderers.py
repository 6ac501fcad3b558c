"""JSON out, as DRF writes it, but by orjson, which takes a fifth of the time. What is no number, or
infinite, becomes null.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework import renderers

# Moments are written as DRF does, as is what only its encoder knows.
_as_drf = renderers.JSONRenderer.encoder_class().default


class JSONRenderer(renderers.JSONRenderer):
    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        try:
            text = orjson.dumps(data, default=_as_drf, option=orjson.OPT_PASSTHROUGH_DATETIME)
        except orjson.JSONEncodeError:
            # More than 64 bits, keys that are no texts, half a character, or too deep.
            return super().render(data, accepted_media_type, renderer_context)
        # Ends of lines to JavaScript, which are none in JSON.
        return text.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")
