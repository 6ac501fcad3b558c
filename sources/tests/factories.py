import factory

from operators.tests.factories import OperatorFactory
from sources.models import Assignment, Source


class SourceFactory(factory.django.DjangoModelFactory):
    name = factory.Sequence(lambda number: f"Source {number}")
    code = factory.Sequence(lambda number: f"source_{number}")

    class Meta:
        model = Source


class AssignmentFactory(factory.django.DjangoModelFactory):
    operator = factory.SubFactory(OperatorFactory)
    source = factory.SubFactory(SourceFactory)

    class Meta:
        model = Assignment
