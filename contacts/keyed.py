"""The header `Idempotency-Key`: read, checked, obeyed and documented."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.idempotency import Answer, answer_once
from crm_project.errors import invalid
from crm_project.logs import note

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
# Visible ASCII.
FORM = "[!-~]{1,255}"

PARAMETERS = [
    OpenApiParameter(
        HEADER,
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description="Of the sender's choice. The same key and body again get the first answer"
        " again and create nothing, for 24 hours at least; only successes are kept.",
    ),
    OpenApiParameter(
        REPLAYED,
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=[200, 201],
        description="There where an earlier request with this Idempotency-Key got this answer.",
    ),
]

Action = Callable[[Any, Request], Response]


def idempotent(action: Action) -> Callable[[Any, Request], HttpResponse]:
    """Let an action of a view be done once per key of this header; without it, as ever."""

    @wraps(action)
    def keyed(view: Any, request: Request) -> HttpResponse:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return action(view, request)
        if not re.fullmatch(FORM, key):
            raise invalid(HEADER, _("Give 1 to 255 visible ASCII characters."))

        def work() -> Answer:
            response = action(view, request)
            rendered = request.accepted_renderer.render(response.data)
            return Answer(response.status_code, str(rendered, "utf-8"))

        try:
            answer = answer_once(
                work,
                credential=credential_of(request),
                endpoint=f"{request.method} {request.path_info}",
                key=key,
                body=request.data,
            )
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        headers = {REPLAYED: "true"} if answer.replayed else None
        if answer.replayed:
            note(replayed=True)
        return HttpResponse(
            answer.body, request.accepted_media_type, answer.status, headers=headers
        )

    return keyed


def credential_of(request: Request) -> str:
    """Whose keys these are; two senders may choose the same."""
    if request.auth:
        return f"key:{request.auth.pk}"
    return f"user:{request.user.pk}" if request.user.is_authenticated else "anonymous"
