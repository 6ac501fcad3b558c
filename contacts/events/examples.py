"""Examples for the API's documentation."""

from drf_spectacular.utils import OpenApiExample

_TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_WEBHOOK = {
    "name": "Склад",
    "url": "https://example.com/hooks/crm",
    "events": ["contact.assigned", "contact.closed"],
    "source_id": None,
}
NEW_WEBHOOK = OpenApiExample("Two events of all sources", _WEBHOOK, request_only=True)
CREATED_WEBHOOK = OpenApiExample(
    "With its secret",
    {
        "id": 1,
        **_WEBHOOK,
        "is_active": True,
        "secret": _TEXT,
        "pending": 0,
        "dead": 0,
        "failures": 0,
        "failing_since": None,
        "next_attempt_at": None,
        "deactivated_because": "",
        "created_at": "2026-11-23T09:28:54.167371Z",
    },
    response_only=True,
    status_codes=["201"],
)
SECRET = OpenApiExample("A new one", {"secret": _TEXT}, response_only=True)
DELIVERY = OpenApiExample(
    "To be sent again",
    {
        "id": 17,
        "event": "contact.assigned",
        "contact_id": 5,
        "lead_id": 3,
        "source_id": 1,
        "operator_id": 2,
        "operator_name": "Анна",
        "previous_operator_id": None,
        "state": "pending",
        "attempts": 0,
        "response_status": 500,
        "last_error": "",
        "created_at": "2026-11-23T09:28:54.167371Z",
        "delivered_at": None,
    },
    response_only=True,
)
