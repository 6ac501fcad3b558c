"""A source in the back office: who gets the next contact, and how to send contacts here."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from contacts.models import Contact
from contacts.preview import preview
from contacts.wording import passed_over, strategy_name
from sources.channel_serializers import address_of
from sources.channel_settings import channel_of, state_of
from sources.channel_words import label, missing_in_words
from sources.models import Source


def around(source: Source, request: HttpRequest) -> dict[str, Any]:
    """What the page shows beside the form."""
    decision, waits = preview(source)
    chances = zip(decision.candidates, decision.shares(), strict=True)
    return {
        "strategy": strategy_name(source.strategy),
        "chances": [
            (each, 100 * share) for each, share in sorted(chances, key=lambda pair: -pair[1])
        ],
        "passed_over": [passed_over(each) for each in decision.skipped],
        "queue_first": waits,
        "intake_url": request.build_absolute_uri(reverse("contact-list")),
    }


def connecting(source: Source, request: HttpRequest) -> dict[str, Any]:
    """What it takes to connect the channel; nothing for a source that has none."""
    state, channel = state_of(source), channel_of(source)
    if state is None:
        return {}
    contacts = Contact.objects.filter(source=source).order_by("-created_at", "-pk")
    made = channel.made if channel else {}
    return {
        "channel": state,
        "steps": f"admin/sources/source/steps/{source.kind}.html",
        "webhook_url": address_of(source, request, "webhook"),
        "widget_url": request.build_absolute_uri(
            f"{reverse('source-list')}/{source.code}/widget.js"
        ),
        "secrets": [(label(name), shown) for name, shown in state.secrets.items()],
        "missing": missing_in_words(source),
        "latest": contacts.values_list("created_at", flat=True).first(),
        "made": made,
        "new_secrets": [(name, label(name), text) for name, text in made.items()],
    }
