from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from contacts.events import examples
from contacts.events.models import Delivery, Event, Subscription
from contacts.events.services import shown_secret
from crm_project.api.fields import IntegerField, ModelSerializer, TextField
from crm_project.api.filters import LARGEST_ID
from crm_project.errors import invalid
from sources.selectors import find_source


@extend_schema_serializer(examples=[examples.NEW_WEBHOOK])
class WebhookSerializer(ModelSerializer):
    url = TextField(
        max_length=1000,
        trim_whitespace=False,
        help_text="Where events are posted; with https, unless its network is allowed.",
    )
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=Event.values), min_length=1, max_length=50
    )
    source_id = IntegerField(
        min_value=1,
        max_value=LARGEST_ID,
        required=False,
        allow_null=True,
        help_text="Only what happens in this source; null: in all, and new leads too.",
    )
    secret = serializers.SerializerMethodField(
        help_text="Masked; empty where it cannot be read any more."
    )
    pending = serializers.IntegerField(read_only=True, help_text="Deliveries still to be sent.")
    dead = serializers.IntegerField(read_only=True, help_text="Deliveries that were given up.")
    deactivated_because = serializers.ChoiceField(
        choices=["", *Subscription.Because.values],
        read_only=True,
        help_text="Why it was switched off by itself; empty: it was not.",
    )

    class Meta:
        model = Subscription
        fields = [
            "id",
            "name",
            "url",
            "events",
            "source_id",
            "is_active",
            "secret",
            "pending",
            "dead",
            "failures",
            "failing_since",
            "next_attempt_at",
            "deactivated_because",
            "created_at",
        ]
        read_only_fields = ["failures", "failing_since", "next_attempt_at"]

    def get_secret(self, subscription: Subscription) -> str:
        return shown_secret(subscription)

    def validate_events(self, value: list[str]) -> list[str]:
        return [each for each in Event.values if each in value]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Give the source itself."""
        if "source_id" in attrs:
            pk = attrs.pop("source_id")
            attrs["source"] = None if pk is None else find_source(pk=pk)
            if pk is not None and attrs["source"] is None:
                raise invalid("source_id", _("There is no such source."), code="does_not_exist")
        return attrs


class SecretSerializer(serializers.Serializer):
    secret = TextField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="whsec_ and 24 to 64 bytes in base64; left out or empty: a new one is made.",
    )


@extend_schema_serializer(examples=[examples.NEW_WEBHOOK])
class NewWebhookSerializer(WebhookSerializer):
    secret = TextField(
        required=False,
        allow_blank=True,
        max_length=200,
        write_only=True,
        help_text="whsec_ and 24 to 64 bytes in base64; left out or empty: a new one is made.",
    )


@extend_schema_serializer(examples=[examples.CREATED_WEBHOOK])
class CreatedWebhookSerializer(WebhookSerializer):
    secret = serializers.SerializerMethodField(help_text="Whole, this once: keep it.")

    def get_secret(self, subscription: Subscription) -> str:
        return str(self.context["secret"])


class DeliverySerializer(ModelSerializer):
    last_error = serializers.CharField(help_text="Of the last attempt; empty: none.")

    class Meta:
        model = Delivery
        fields = [
            "id",
            "event",
            "contact_id",
            "lead_id",
            "source_id",
            "operator_id",
            "operator_name",
            "previous_operator_id",
            "state",
            "attempts",
            "response_status",
            "last_error",
            "created_at",
            "delivered_at",
        ]
        read_only_fields = fields
