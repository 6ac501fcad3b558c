"""Query parameters as strict as bodies: a wrong value is a 400 that names it."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.fields import IsoDateTimeField
from drf_spectacular.utils import extend_schema_field

LARGEST_ID = 2**63 - 1


def or_empty(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema: without a value it is as one that is not there."""
    return {"anyOf": [schema, {"type": "string", "maxLength": 0}]}


MOMENT_SCHEMA = or_empty({"type": "string", "format": "date-time"})


class StrictBooleanField(forms.Field):
    values = {"true": True, "1": True, "false": False, "0": False}
    default_error_messages = {"invalid": _("Give true or false.")}

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if str(value).lower() not in self.values:
            raise ValidationError(self.default_error_messages["invalid"], code="invalid")
        return self.values[str(value).lower()]


@extend_schema_field(or_empty({"type": "boolean"}))
class BooleanFilter(django_filters.Filter):
    """`true` or `false`; also 1 and 0."""

    field_class = StrictBooleanField


@extend_schema_field(or_empty({"type": "integer", "minimum": 1, "maximum": LARGEST_ID}))
class IdFilter(django_filters.Filter):
    """A whole number that can be an id."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, validators=[MaxValueValidator(LARGEST_ID)], **kwargs)


class MomentField(IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            # The first and the last day of the calendar lie outside it in another time zone.
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


@extend_schema_field(MOMENT_SCHEMA)
class MomentFilter(django_filters.Filter):
    """An ISO 8601 time; one without offset is in the service's time zone."""

    field_class = MomentField


class OrderingFilter(django_filters.OrderingFilter):
    """Always ends with the id, so that pages neither repeat nor leave out a row."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        ordered = super().filter(qs, value)
        return ordered.order_by(*ordered.query.order_by, "pk") if value else ordered
