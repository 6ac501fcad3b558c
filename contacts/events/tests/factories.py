import factory

from contacts.events.models import Event, Subscription
from crm_project.encryption import encrypt

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class SubscriptionFactory(factory.django.DjangoModelFactory):
    """To all events of all sources."""

    name = "Склад"
    url = "https://example.com/hook"
    events = Event.values
    secret = factory.LazyFunction(lambda: encrypt(SECRET))

    class Meta:
        model = Subscription
