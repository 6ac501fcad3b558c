"""The settings of a source's channel, as the API shows and takes them."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from rest_framework import serializers

from sources.channel_settings import channel_of, state_of
from sources.models import Source


class ChannelSerializer(serializers.Serializer):
    """Null for a source of the kind `api`."""

    webhook_url = serializers.URLField(read_only=True, help_text="What the channel is to call.")
    # A child that could refuse would name the key, which may be no text that can be sent.
    secrets = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        required=False,
        help_text="By their names, masked; empty: there is none. A name given with null makes a"
        " new one.",
    )
    options = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, help_text="By their names."
    )
    is_ready = serializers.BooleanField(read_only=True)
    missing = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Names of the secrets and options without which nothing arrives.",
    )
    new_secrets = serializers.DictField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Those that this very request made, in full: they are never shown again.",
    )

    def get_attribute(self, instance: Source) -> Source:
        return instance

    def to_representation(self, source: Source) -> dict[str, Any] | None:
        state, channel = state_of(source), channel_of(source)
        return state and {
            "webhook_url": address_of(source, self.context["request"], "webhook"),
            "secrets": state.secrets,
            "options": state.options,
            "is_ready": not state.missing,
            "missing": state.missing,
            "new_secrets": channel.made if channel else {},
        }


def address_of(source: Source, request: HttpRequest, what: str) -> str:
    """The whole address of what strangers ask for, as who asks now reaches us."""
    return request.build_absolute_uri(f"{reverse('source-list')}/{source.code}/{what}")


def without_shown(source: Source, secrets: dict[str, str | None]) -> dict[str, str | None]:
    """Of a source that somebody read, changed and sent back as a whole, the masked ones."""
    state = state_of(source)
    shown = state.secrets if state else {}
    return {name: value for name, value in secrets.items() if shown.get(name) != value}
