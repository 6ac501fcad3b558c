"""What drf-spectacular cannot see by itself: the errors an endpoint can answer with."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter
from drf_standardized_errors.openapi import AutoSchema as StandardizedErrorsSchema
from drf_standardized_errors.openapi_utils import get_example_from_exception
from rest_framework import exceptions, serializers

from crm_project.errors import (
    Busy,
    Conflict,
    CredentialNeeded,
    DatabaseUnavailable,
    RequestTimeout,
    TooManyRequests,
)


class ErrorSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="Stable; does not depend on the language.")
    detail = serializers.CharField(help_text="For a person, in the language of Accept-Language.")
    attr = serializers.CharField(allow_null=True, help_text="The field; null: the whole request.")


class ErrorsSerializer(serializers.Serializer):
    """The one shape of every error."""

    type = serializers.ChoiceField(
        choices=["validation_error", "client_error", "server_error"],
    )
    errors = ErrorSerializer(many=True)


DESCRIPTIONS = {
    "400": "A wrong value, or no JSON.",
    "401": "The request names nobody, or its API key is not valid.",
    "403": "Who asks may not do this.",
    "404": "For who asks, it is not there.",
    "405": "Another method than these.",
    "408": "The body did not arrive in time.",
    "409": "The present state forbids it.",
    "411": "The body has no Content-Length.",
    "413": "The body is too large.",
    "415": "The body is of another type than JSON.",
    "422": "The Idempotency-Key belongs to another body.",
    "429": "Too many requests: try again after Retry-After.",
    "503": "Busy, or without its database: try again after Retry-After.",
}


def _error_examples() -> list[OpenApiExample]:
    """What any operation may answer, in the language of who reads; those of the library are of
    texts and codes that we do not use.
    """
    errors = [
        exceptions.AuthenticationFailed(_("There is no such API key."), "invalid_api_key"),
        CredentialNeeded(),
        exceptions.PermissionDenied(),
        exceptions.NotFound(),
        exceptions.MethodNotAllowed("PUT"),  # which no address has
        RequestTimeout(),
        Conflict(),
        exceptions.UnsupportedMediaType("text/plain"),
        TooManyRequests(60),
        Busy(),
        DatabaseUnavailable(),
    ]
    return [get_example_from_exception(error) for error in errors]


def _header(name: str, words: str, *, statuses: list[str]) -> OpenApiParameter:
    """A header with a whole number, of the answers with these statuses."""
    return OpenApiParameter(
        name, int, OpenApiParameter.HEADER, description=words, response=statuses
    )


# Other answers have the first three as well; to say so a hundred times would double the document.
COUNTED, WAIT = ["200", "201", "429"], ["429", "503"]
ANSWERED_HEADERS = [
    _header("RateLimit-Limit", "Requests a minute that are answered.", statuses=COUNTED),
    _header("RateLimit-Remaining", "Of these, how many are left.", statuses=COUNTED),
    _header("RateLimit-Reset", "Seconds until the minute is over.", statuses=COUNTED),
    _header("Retry-After", "Seconds after which to try again.", statuses=WAIT),
]

SUMMARIES = {
    "list": "List {}",
    "create": "Create one of the {}",
    "retrieve": "Show one of the {}",
    "partial_update": "Change one of the {}",
    "destroy": "Delete one of the {}",
}


def tell_of_request_ids(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Describe the header that every answer has, once for all of them."""
    result["components"]["headers"] = {
        "RequestId": {
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            "description": "By which the log has this request; the one that the request had in a"
            " header of this name, if it was of that form.",
        }
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                headers = response.setdefault("headers", {})
                headers["X-Request-ID"] = {"$ref": "#/components/headers/RequestId"}
    return result


class AutoSchema(StandardizedErrorsSchema):
    def get_summary(self) -> str | None:
        """What the view says, else a line made of the action and the resource."""
        pattern = SUMMARIES.get(getattr(self.view, "action", ""), "")
        return super().get_summary() or pattern.format(self.get_tags()[0]) or None

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *ANSWERED_HEADERS]

    def _get_error_response_examples(self) -> list[OpenApiExample]:
        return _error_examples()

    def _get_response_for_code(
        self, serializer: Any, status_code: str, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        response: dict[str, Any] = super()._get_response_for_code(
            serializer, status_code, *args, **kwargs
        )
        response["description"] = response["description"] or DESCRIPTIONS.get(status_code, "")
        return response

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        """Errors that come of a body or of a change belong to no mere reading."""
        match status_code:
            case "400":
                return bool(self._body() or self._query_parameters())
            case "404":
                return any(each["in"] == "path" for each in self._get_parameters())
            case "409":
                return self.method != "GET"
            case "408" | "411" | "413" | "415":
                return self._body()
            case "401" | "403" | "429":
                return True
        return super()._should_add_error_response(responses, status_code)

    def _get_request_body(self, direction: Direction = "request") -> dict[str, Any] | None:
        """A body with a required field is required itself, also where its schema is written out."""
        body: dict[str, Any] | None = super()._get_request_body(direction)
        for content in (body or {}).get("content", {}).values():
            if body and "required" in content.get("schema", {}):
                body["required"] = True
        return body

    def get_auth(self) -> list[dict[str, Any]]:
        """Where the API is open, it goes without any as well."""
        return super().get_auth() + ([{}] if settings.API_IS_OPEN else [])

    def _body(self) -> bool:
        return self.method in ("POST", "PATCH")

    def _query_parameters(self) -> list[Any]:
        return [each for each in self._get_parameters() if each["in"] == "query"]
