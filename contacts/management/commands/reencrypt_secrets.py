"""Keeps the secrets of channels and subscriptions under the present key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.events.models import Subscription
from crm_project.encryption import UnreadableError, encrypted_anew
from sources.models import Channel


class Command(BaseCommand):
    help = (
        "Keeps the secrets of channels, webhooks and notices under the present CRM_SECRET_KEY, so"
        " that an earlier one can leave CRM_SECRET_KEY_FALLBACKS. May be run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            channels = encrypted_anew(Channel, "kept_secrets")
            subscriptions = encrypted_anew(Subscription, "secret")
        except UnreadableError as error:
            raise CommandError(
                f"The secret of “{error}” was kept under a key that is neither CRM_SECRET_KEY nor"
                " in CRM_SECRET_KEY_FALLBACKS. Add it there, or make another secret in the admin."
            ) from error
        self.stdout.write(f"Channels: {channels}. Webhooks and notices: {subscriptions}.")
