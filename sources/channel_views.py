"""The address of a source for the outside world, which speaks the channel's own protocol there.

Who sends is known by what the protocol checks and by nothing else: no key, no session. So what is
refused, and all of what comes to a channel without secrets, is counted against the address that it
came from; what a channel is proven to have sent never is, as all of it comes from few addresses.
"""

import logging
from collections import Counter
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts.conversations import receive
from crm_project.actor import Actor
from crm_project.api.schema import ErrorsSerializer
from crm_project.encryption import UnreadableError
from crm_project.errors import TooManyRequests
from crm_project.logs import note
from crm_project.throttling import count_against_address, count_form
from sources.channels import protocol
from sources.channels.registry import PROTOCOLS
from sources.cross_origin import let_read
from sources.form_errors import in_words
from sources.models import Source

logger = logging.getLogger(__name__)


class EventRefused(APIException):
    """What came is not what the channel would send; `reason` is for the log alone."""

    default_code = "event_refused"
    default_detail = _("The channel would not send this, or its secret is another one here.")

    def __init__(self, refused: protocol.Refused) -> None:
        super().__init__()
        self.status_code, self.reason = refused.status, refused.reason


class WebhookView(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    http_method_names = ["get", "head", "post", "options"]
    # The origin of the site whose page asks, where it may; empty: none, or it may not.
    readable_by = ""

    @extend_schema(
        summary="Answer a channel's question whether the address is ours",
        responses={(200, "text/plain"): OpenApiTypes.STR, 400: ErrorsSerializer},
    )
    def get(self, request: Request, code: str) -> HttpResponse:
        """Some channels ask before they send: who is to be told what, they say themselves."""
        return self._answer(request, code)

    @extend_schema(
        summary="Take an event of a channel",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={200: OpenApiTypes.ANY, (200, "text/plain"): OpenApiTypes.STR},
    )
    def post(self, request: Request, code: str) -> HttpResponse:
        """The form of the body, of its signature and of the answer is the channel's own.

        A new message makes a contact or, where the source has one per conversation, is added to
        the one that is open. An event that is sent again does nothing.
        """
        return self._answer(request, code)

    def options(self, request: Request, code: str) -> HttpResponse:
        """A browser asks whether a page of another site may send: the headers tell it."""
        self._listen(request, code)
        return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, EventRefused):
            note(reason=exc.reason)
        if isinstance(exc, EventRefused | Http404 | MethodNotAllowed):
            try:
                count_against_address(self.request)
            except TooManyRequests as too_many:
                exc = too_many
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        let_read(response, self.readable_by, method=request.method)
        return response

    def _listen(self, request: Request, code: str) -> tuple[Source, protocol.Protocol]:
        """What the source speaks; whether a page may read the answer is known from here on."""
        source = Source.objects.select_related("channel").filter(code=code).first()
        spoken = PROTOCOLS.get(source.kind) if source else None
        if not (source and spoken):
            raise Http404
        note(source=source.code, kind=source.kind)
        self.readable_by = spoken.readable_by(_request(request), _options(source))
        return source, spoken

    def _answer(self, request: Request, code: str) -> HttpResponse:
        source, spoken = self._listen(request, code)
        if not spoken.secrets:
            count_against_address(request)
            count_form(request)
        try:
            answer = spoken.answer(_request(request), _config(source, spoken, request.method))
        except protocol.Invalid as invalid:
            note(reason=str(invalid))
            raise in_words(invalid.fields) from invalid
        except protocol.Refused as refused:
            raise EventRefused(refused) from refused
        return HttpResponse(self._take(source, answer), content_type=answer.content_type)

    def _take(self, source: Source, answer: protocol.Answer) -> str:
        """Keep all that came, each by itself, so that of a delivery that is sent again what is
        kept already is repeated; what the channel is to hear.
        """
        actor = Actor("channel", source.code)
        outcomes: Counter[str] = Counter()
        for incoming in answer.incoming:
            outcomes[receive(source, incoming, actor=actor).outcome] += 1
        note(**outcomes, **({"ignored": answer.ignored} if answer.ignored else {}))
        further = None if outcomes["created"] else answer.further_body
        return answer.body if further is None else further


def _request(request: Request) -> protocol.Request:
    return protocol.Request(
        method=request.method or "",
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.query_params.dict(),
        body=request.body,
    )


def _config(source: Source, spoken: protocol.Protocol, method: str | None) -> protocol.Config:
    """What is set for the source. Raises Refused where an event could not be proven genuine."""
    channel = getattr(source, "channel", None)
    try:
        secrets = channel.secrets if channel else {}
    except UnreadableError as error:
        logger.error(
            "The secrets of a channel were kept under another SECRET_KEY",
            extra={"fields": {"source": source.code}},
        )
        raise protocol.Refused(403, "the secrets cannot be read") from error
    if method == "POST" and not all(secrets.get(each.name) for each in spoken.secrets):
        raise protocol.Refused(403, "the channel is not set up")
    return protocol.Config(secrets, _options(source), region=settings.PHONE_REGION)


def _options(source: Source) -> dict[str, Any]:
    channel = getattr(source, "channel", None)
    return channel.options if channel else {}
