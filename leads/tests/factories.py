import factory

from leads.identity import normalised_email, normalised_phone
from leads.models import Lead


class LeadFactory(factory.django.DjangoModelFactory):
    external_id = factory.Sequence(lambda number: f"client:{number}")
    phone = email = ""
    phone_e164 = factory.LazyAttribute(lambda new: normalised_phone(new.phone, region="RU"))
    email_key = factory.LazyAttribute(lambda new: normalised_email(new.email))

    class Meta:
        model = Lead
