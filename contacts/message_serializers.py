"""What a lead wrote, as the API tells it."""

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from contacts.models import Message
from crm_project.api.fields import ModelSerializer

MOST_MESSAGES = 1000

CONVERSATION = OpenApiExample(
    "Two messages",
    {
        "results": [
            {
                "id": None,
                "text": "Здравствуйте! Сколько стоит доставка в Казань?",
                "sent_at": "2026-11-23T09:28:54.167371Z",
                "created_at": "2026-11-23T09:28:54.167371Z",
            },
            {
                "id": 1,
                "text": "И за сколько дней?",
                "sent_at": "2026-11-23T09:29:10Z",
                "created_at": "2026-11-23T09:29:10.803217Z",
            },
        ]
    },
    response_only=True,
)


class MessageSerializer(ModelSerializer):
    id = serializers.IntegerField(
        allow_null=True, help_text="null: what made the contact, which is its own `message`."
    )

    class Meta:
        model = Message
        fields = ["id", "text", "sent_at", "created_at"]


class ConversationSerializer(serializers.Serializer):
    results = MessageSerializer(many=True)
