"""What browsers have to be told before a page of another site may send and read the answer.

The Fetch standard has it under "CORS protocol".
"""

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

# Seconds for which a browser need not ask again whether it may send; Chromium asks after two hours.
MAX_AGE = 7200


def let_read(response: HttpResponseBase, origin: str, *, method: str | None) -> None:
    """Let pages of that origin, and no other, read the answer; empty: none may."""
    patch_vary_headers(response, ["Origin"])
    if not origin:
        return
    response["Access-Control-Allow-Origin"] = origin
    response["Access-Control-Expose-Headers"] = "Retry-After"
    if method == "OPTIONS":
        response["Access-Control-Allow-Methods"] = "POST"
        response["Access-Control-Allow-Headers"] = "Content-Type"
        response["Access-Control-Max-Age"] = str(MAX_AGE)
