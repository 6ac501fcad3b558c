"""A source in the back office: who gets the next contact, and how to send contacts here."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from contacts.preview import preview
from contacts.wording import passed_over, strategy_name
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
