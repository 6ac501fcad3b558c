from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from crm_project.api.fields import BooleanField, IntegerField, ModelSerializer, TextField
from crm_project.api.filters import LARGEST_ID
from operators.models import DayOff, Operator, Shift
from sources.models import Assignment


class OperatorSerializer(ModelSerializer):
    current_load = IntegerField(read_only=True, help_text="Open contacts, over all sources.")

    class Meta:
        model = Operator
        fields = ["id", "name", "is_active", "max_active_contacts", "current_load", "created_at"]


class ShiftSerializer(ModelSerializer):
    class Meta:
        model = Shift
        fields = ["weekday", "starts", "ends"]


class DayOffSerializer(ModelSerializer):
    class Meta:
        model = DayOff
        fields = ["first_day", "last_day", "note"]


class HoursSerializer(ModelSerializer):
    """When somebody takes contacts; where there are no shifts, always, save on days off."""

    time_zone = serializers.CharField(source="zone.key")
    on_shift = serializers.SerializerMethodField(help_text="Within the working hours now?")
    shifts = ShiftSerializer(many=True, help_text="By weekday, 0 being Monday.")
    days_off = DayOffSerializer(many=True)

    class Meta:
        model = Operator
        fields = [
            "time_zone",
            "on_shift",
            "shift_starts_at",
            "shift_ends_at",
            "shifts",
            "days_off",
        ]

    def get_on_shift(self, operator: Operator) -> bool:
        return operator.is_on_shift(timezone.now())


class ServedSourceSerializer(ModelSerializer):
    source_code = TextField(source="source.code")
    source_name = TextField(source="source.name")

    class Meta:
        model = Assignment
        fields = ["source_id", "source_code", "source_name", "weight"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new operator", {"name": "Анна Петрова", "max_active_contacts": 5}, request_only=True
        )
    ]
)
class OperatorDetailSerializer(OperatorSerializer):
    sources = ServedSourceSerializer(source="assignments", many=True, read_only=True)
    hours = HoursSerializer(source="*", read_only=True)
    telegram_chat_id = IntegerField(
        min_value=-LARGEST_ID,
        max_value=LARGEST_ID,
        required=False,
        allow_null=True,
        help_text="Where new contacts are told of; null: nowhere.",
    )

    class Meta(OperatorSerializer.Meta):
        fields = [*OperatorSerializer.Meta.fields, "email", "telegram_chat_id", "sources", "hours"]


class ReleaseSerializer(serializers.Serializer):
    deactivate = BooleanField(default=False, help_text="Stop new contacts at the same time.")


class ReleasedSerializer(serializers.Serializer):
    released = serializers.IntegerField(help_text="How many contacts he or she had open.")
    reassigned = serializers.IntegerField(help_text="How many of them somebody else has now.")
    waiting = serializers.IntegerField(help_text="How many of them wait now.")
