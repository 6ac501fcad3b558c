from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from contacts.selectors import assignments_with_load, shares_now
from crm_project.api.fields import IntegerField, ModelSerializer, OptionalTextField
from crm_project.api.filters import LARGEST_ID
from sources.models import LEAST_WEIGHT, MOST_WEIGHT, Assignment, Source


class SourceSerializer(ModelSerializer):
    description = OptionalTextField(max_length=2000, trim_whitespace=False)

    class Meta:
        model = Source
        fields = ["id", "name", "code", "description", "is_active", "created_at"]
        extra_kwargs = {"code": {"trim_whitespace": False}}


class ServingOperatorSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    weight = serializers.IntegerField()
    share = serializers.FloatField(
        help_text="The probability of getting the next contact at this moment."
    )
    is_active = serializers.BooleanField()
    current_load = serializers.IntegerField()
    max_active_contacts = serializers.IntegerField()


@extend_schema_serializer(
    examples=[
        OpenApiExample("A new source", {"name": "Телеграм", "code": "tg_main"}, request_only=True)
    ]
)
class SourceDetailSerializer(SourceSerializer):
    operators = serializers.SerializerMethodField()

    class Meta(SourceSerializer.Meta):
        fields = [*SourceSerializer.Meta.fields, "operators"]

    @extend_schema_field(ServingOperatorSerializer(many=True))
    def get_operators(self, source: Source) -> list[dict[str, Any]]:
        assignments = list(assignments_with_load([source.pk]))
        shares = shares_now(source, assignments)
        return [
            {
                "operator_id": each.operator_id,
                "operator_name": each.operator.name,
                "weight": each.weight,
                "share": shares[each.operator_id],
                "is_active": each.operator.is_active,
                "current_load": each.load,  # type: ignore[attr-defined]  # annotated
                "max_active_contacts": each.operator.max_active_contacts,
            }
            for each in assignments
        ]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A weight", {"operator_id": 1, "source_id": 1, "weight": 3}, request_only=True
        )
    ]
)
class AssignmentSerializer(ModelSerializer):
    operator_id = IntegerField(min_value=1, max_value=LARGEST_ID)
    source_id = IntegerField(min_value=1, max_value=LARGEST_ID)
    weight = IntegerField(min_value=LEAST_WEIGHT, max_value=MOST_WEIGHT, default=1)

    class Meta:
        model = Assignment
        fields = ["operator_id", "source_id", "weight"]


class WeightSerializer(serializers.Serializer):
    weight = IntegerField(min_value=LEAST_WEIGHT, max_value=MOST_WEIGHT, required=False)
