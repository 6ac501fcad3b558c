"""The script of a source's form, for the pages of other sites."""

import json
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_safe

from sources.models import Source

SCRIPT = Path(__file__).parent / "static" / "sources" / "widget.js"
# Seconds until a change of the source or of the script is seen everywhere.
KEPT = 300


@csrf_exempt
@require_safe
@gzip_page
@conditional_page
def widget_script(request: HttpRequest, code: str) -> HttpResponse:
    """The same for everybody. Of an inactive source it does nothing, so that no shop offers a form
    that nobody reads.
    """
    kind = Source.Kind.WIDGET
    source = Source.objects.select_related("channel").filter(code=code, kind=kind).first()
    if source is None:
        raise Http404
    text = f"{_function()}({json.dumps(_public(source))});\n" if source.is_active else ""
    return HttpResponse(
        text,
        content_type="text/javascript; charset=utf-8",
        headers={
            "Cache-Control": f"public, max-age={KEPT}",
            # For pages that let in only what says that it may be.
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )


@cache
def _function() -> str:
    return SCRIPT.read_text().rstrip()


def _public(source: Source) -> dict[str, str]:
    channel = getattr(source, "channel", None)
    options = channel.options if channel else {}
    return {"code": source.code} | {
        name: options.get(name, "") for name in ("title", "privacy_url")
    }
