from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from contacts.distribution import STRATEGIES, Decision
from contacts.history import candidates_as_json, skipped_as_json
from contacts.preview import serving
from contacts.serializers import CandidateSerializer, SkippedSerializer
from crm_project.api.fields import BooleanField, IntegerField, ModelSerializer, OptionalTextField
from crm_project.api.filters import LARGEST_ID
from sources.channel_serializers import ChannelSerializer, without_shown
from sources.models import (
    LEAST_WEIGHT,
    LONGEST_RESPONSE,
    MOST_HANDOVERS,
    MOST_WEIGHT,
    Assignment,
    Source,
)


class SourceSerializer(ModelSerializer):
    description = OptionalTextField(max_length=2000, trim_whitespace=False)

    # DRF's own message repeats the value, which may be no text that can be sent.
    strategy = serializers.ChoiceField(
        choices=list(STRATEGIES),
        required=False,
        error_messages={
            "invalid_choice": format_lazy(_("Give one of: {names}."), names=", ".join(STRATEGIES))
        },
    )
    kind = serializers.ChoiceField(
        choices=Source.Kind.choices,
        required=False,
        error_messages={
            "invalid_choice": format_lazy(
                _("Give one of: {names}."), names=", ".join(Source.Kind.values)
            )
        },
        help_text="What the source's webhook speaks; another kind begins with nothing set.",
    )
    reuse_open_contact = BooleanField(
        required=False,
        help_text="A further message of a lead is added to the contact that is open. Where it is"
        " not given, the kind tells: true for messengers.",
    )
    response_minutes = IntegerField(
        min_value=1,
        max_value=LONGEST_RESPONSE,
        required=False,
        allow_null=True,
        help_text="A new contact that is not taken in time goes to somebody else; null: no limit.",
    )
    response_handovers = IntegerField(
        min_value=0,
        max_value=MOST_HANDOVERS,
        required=False,
        help_text="So many times at most; then the contact is marked for the team lead.",
    )

    class Meta:
        model = Source
        fields = [
            "id",
            "name",
            "code",
            "description",
            "is_active",
            "auto_assign_waiting",
            "sticky",
            "strategy",
            "response_minutes",
            "response_handovers",
            "kind",
            "reuse_open_contact",
            "created_at",
        ]
        extra_kwargs = {"code": {"trim_whitespace": False}}


class ServingOperatorSerializer(serializers.Serializer):
    operator_id = serializers.IntegerField()
    operator_name = serializers.CharField()
    weight = serializers.IntegerField()
    share = serializers.FloatField(
        help_text="The probability of getting the next contact at this moment."
    )
    is_active = serializers.BooleanField()
    on_shift = serializers.BooleanField(help_text="Within his or her working hours?")
    current_load = serializers.IntegerField()
    max_active_contacts = serializers.IntegerField()


@extend_schema_serializer(
    examples=[
        OpenApiExample("A new source", {"name": "Сайт", "code": "site"}, request_only=True),
        OpenApiExample(
            "A bot of Telegram",
            {
                "name": "Телеграм",
                "code": "tg_main",
                "kind": "telegram",
                "channel": {"options": {"reply_text": "Спасибо! Скоро ответим."}},
            },
            request_only=True,
        ),
        OpenApiExample(
            "A new secret, and another text",
            {
                "channel": {
                    "secrets": dict.fromkeys(["secret_token"]),
                    "options": {"reply_text": ""},
                }
            },
            request_only=True,
        ),
    ]
)
class SourceDetailSerializer(SourceSerializer):
    channel = ChannelSerializer(required=False, allow_null=True)
    operators = serializers.SerializerMethodField()

    class Meta(SourceSerializer.Meta):
        fields = [*SourceSerializer.Meta.fields, "channel", "operators"]

    def validate_channel(self, given: dict[str, Any] | None) -> dict[str, Any] | None:
        if given and self.instance and "secrets" in given:
            return given | {"secrets": without_shown(self.instance, given["secrets"])}
        return given

    @extend_schema_field(ServingOperatorSerializer(many=True))
    def get_operators(self, source: Source) -> list[dict[str, Any]]:
        return [
            {
                "operator_id": each.operator_id,
                "operator_name": each.name,
                "weight": each.weight,
                "share": share,
                "is_active": each.is_active,
                "on_shift": each.on_shift,
                "current_load": each.load,
                "max_active_contacts": each.limit,
            }
            for each, share in serving(source)
        ]


class PreviewSerializer(serializers.Serializer):
    """Who would get the next contact."""

    source_id = serializers.IntegerField()
    source_code = serializers.CharField()
    outcome = serializers.ChoiceField(
        choices=["assigned", "waiting", "refused"],
        help_text="refused: the source is inactive.",
    )
    operator_id = serializers.IntegerField(
        allow_null=True, help_text="null where a draw would decide, or nobody would get it."
    )
    operator_name = serializers.CharField(allow_null=True)
    strategy = serializers.CharField(help_text="sticky: the lead's latest operator.")
    candidates = CandidateSerializer(many=True)
    skipped = SkippedSerializer(many=True)


def preview_as_json(source: Source, decision: Decision, *, waits: bool) -> dict[str, Any]:
    """What would be decided, as `PreviewSerializer` describes it."""
    candidates = candidates_as_json(decision)
    certain = [each for each in candidates if each["share"] == 1 and not waits]
    free = "assigned" if candidates and not waits else "waiting"
    return {
        "source_id": source.pk,
        "source_code": source.code,
        "outcome": free if source.is_active else "refused",
        "operator_id": certain[0]["operator_id"] if certain else None,
        "operator_name": certain[0]["operator_name"] if certain else None,
        "strategy": decision.strategy,
        "candidates": candidates,
        "skipped": skipped_as_json(decision),
    }


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
