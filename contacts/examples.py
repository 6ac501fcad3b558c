"""Examples for the API's documentation."""

from drf_spectacular.utils import OpenApiExample

from contacts.models import Contact

NEW_CONTACT = OpenApiExample(
    "A message from Telegram",
    {
        "lead_external_id": "tg:1001",
        "source_code": "tg_main",
        "message": "Здравствуйте! Сколько стоит доставка в Казань?",
        "lead_name": "Мария Щукина",
        "lead_phone": "+7 900 000-00-01",
    },
    request_only=True,
)

CREATED_CONTACT = OpenApiExample(
    "Assigned at once",
    {
        "id": 1,
        "lead_id": 1,
        "source_id": 1,
        "source_code": "tg_main",
        "operator_id": 1,
        "operator_name": "Анна",
        "status": "new",
        "message": "Здравствуйте! Сколько стоит доставка в Казань?",
        "created_at": "2026-11-23T09:28:54.167371Z",
        "assigned_at": "2026-11-23T09:28:54.167371Z",
        "closed_at": None,
        "distribution_info": "Назначено: Анна.",
        "distribution": {
            "outcome": "assigned",
            "strategy": "weighted_random",
            "candidates": [
                {
                    "operator_id": 1,
                    "operator_name": "Анна",
                    "weight": 3,
                    "share": 1.0,
                    "current_load": 0,
                    "max_active_contacts": 10,
                }
            ],
            "skipped": [{"operator_id": 2, "operator_name": "Борис", "reason": "full"}],
            "draw": 0.417022004702574,
        },
        "lead": {
            "id": 1,
            "external_id": "tg:1001",
            "name": "Мария Щукина",
            "phone": "+7 900 000-00-01",
            "email": "",
            "created_at": "2026-11-23T09:28:54.167371Z",
        },
    },
    response_only=True,
    status_codes=["201"],
)


def _error(name: str, status: int, kind: str, **error: str | None) -> OpenApiExample:
    value = {"type": kind, "errors": [error]}
    return OpenApiExample(name, value, response_only=True, status_codes=[str(status)])


NO_SOURCE = _error(
    "No such source",
    400,
    "validation_error",
    code="does_not_exist",
    detail="Такого источника нет.",
    attr="source_code",
)
SOURCE_NOT_ALLOWED = _error(
    "A source of others",
    403,
    "client_error",
    code="source_not_allowed",
    detail="Этот API-ключ не может создавать обращения в этом источнике.",
    attr="source_code",
)
KEY_REUSED = _error(
    "An Idempotency-Key that belongs to another body",
    422,
    "client_error",
    code="idempotency_key_reused",
    detail="Этот Idempotency-Key уже приходил с другим телом запроса. Возьмите новый.",
    attr=None,
)

STATUS = OpenApiExample("Close", {"status": "closed"}, request_only=True)
STATUS_SCHEMA = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "enum": Contact.Status.values}},
}

REASSIGN = OpenApiExample("To a chosen operator", {"operator_id": 2}, request_only=True)
