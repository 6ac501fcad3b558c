"""Serializer fields as strict as JSON: a number is no text, a text is no number."""

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


class TextField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        # 2.0 is a whole number to JSON.
        whole = isinstance(data, int) or (isinstance(data, float) and data.is_integer())
        if isinstance(data, bool) or not whole:
            self.fail("invalid")
        return super().to_internal_value(int(data))


class BooleanField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class OptionalTextField(TextField):
    """A text that may be left out, empty or null: all three mean that it is not known."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True, "allow_null": True} | kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return (True, "") if data is None else super().validate_empty_values(data)


class NotBlankTextField(TextField):
    """A text that is kept as it came, blanks at its ends too, but is not blank all through."""

    default_error_messages = {"blank": _("This field may not be blank.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.strip():
            self.fail("blank")
        return text


class MomentField(serializers.DateTimeField):
    """A time, written in UTC whatever the time zone of the people who work here."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)


def moment(value: datetime | None) -> str | None:
    """As MomentField writes it."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


class ModelSerializer(serializers.ModelSerializer):
    """DRF's, with the fields above."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: TextField,
        models.TextField: TextField,
        models.PositiveIntegerField: IntegerField,
        models.BooleanField: BooleanField,
        models.DateTimeField: MomentField,
    }
