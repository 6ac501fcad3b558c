import factory

from leads.models import Lead


class LeadFactory(factory.django.DjangoModelFactory):
    external_id = factory.Sequence(lambda number: f"lead:{number}")

    class Meta:
        model = Lead
