import factory
from django.utils import timezone

from contacts.models import Contact
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory


class ContactFactory(factory.django.DjangoModelFactory):
    lead = factory.SubFactory(LeadFactory)
    source = factory.SubFactory(SourceFactory)
    assigned_at = factory.LazyAttribute(lambda new: timezone.now() if new.operator else None)
    closed_at = factory.LazyAttribute(
        lambda new: timezone.now() if new.status == Contact.Status.CLOSED else None
    )
    waiting_since = factory.LazyAttribute(
        lambda new: None if new.operator or new.closed_at else timezone.now()
    )
    status = Contact.Status.NEW
    operator = None

    class Meta:
        model = Contact
