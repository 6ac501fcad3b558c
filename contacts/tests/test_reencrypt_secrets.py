import pytest
from django.core.management import CommandError, call_command

from contacts.events.models import Subscription
from contacts.events.tests.factories import SECRET, SubscriptionFactory
from crm_project.encryption import decrypt
from sources.models import Channel
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def _kept_under_another_key(settings):
    """Which is an earlier one now."""
    SubscriptionFactory()
    channel = Channel(source=SourceFactory(kind="telegram"))
    channel.secrets = {"secret_token": "t" * 20}
    channel.save()
    Channel.objects.create(source=SourceFactory(kind="widget"))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10


@pytest.mark.usefixtures("_kept_under_another_key")
def test_afterwards_the_earlier_key_is_not_needed(settings, capsys):
    for _once_more in range(2):
        call_command("reencrypt_secrets")
        assert capsys.readouterr().out == "Channels: 1. Webhooks and notices: 1.\n"
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(Subscription.objects.get().secret) == SECRET
    assert Channel.objects.exclude(kept_secrets="").get().secrets == {"secret_token": "t" * 20}


@pytest.mark.usefixtures("_kept_under_another_key")
def test_a_secret_that_cannot_be_read_is_told_and_nothing_is_changed(settings):
    settings.SECRET_KEY_FALLBACKS = []
    before = Channel.objects.exclude(kept_secrets="").get().kept_secrets
    with pytest.raises(CommandError, match="CRM_SECRET_KEY_FALLBACKS"):
        call_command("reencrypt_secrets")
    assert Channel.objects.exclude(kept_secrets="").get().kept_secrets == before
