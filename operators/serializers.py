from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from crm_project.api.fields import BooleanField, IntegerField, ModelSerializer, TextField
from operators.models import Operator
from sources.models import Assignment


class OperatorSerializer(ModelSerializer):
    current_load = IntegerField(read_only=True, help_text="Open contacts, over all sources.")

    class Meta:
        model = Operator
        fields = ["id", "name", "is_active", "max_active_contacts", "current_load", "created_at"]


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

    class Meta(OperatorSerializer.Meta):
        fields = [*OperatorSerializer.Meta.fields, "sources"]


class ReleaseSerializer(serializers.Serializer):
    deactivate = BooleanField(default=False, help_text="Stop new contacts at the same time.")


class ReleasedSerializer(serializers.Serializer):
    released = serializers.IntegerField(help_text="How many contacts he or she had open.")
    reassigned = serializers.IntegerField(help_text="How many of them somebody else has now.")
    waiting = serializers.IntegerField(help_text="How many of them wait now.")
