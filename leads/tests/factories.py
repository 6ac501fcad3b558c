import factory

from leads.models import Lead


class LeadFactory(factory.django.DjangoModelFactory):
    external_id = factory.Sequence(lambda number: f"client:{number}")

    class Meta:
        model = Lead
