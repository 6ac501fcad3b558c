import factory

from operators.models import Operator


class OperatorFactory(factory.django.DjangoModelFactory):
    name = factory.Sequence(lambda number: f"Operator {number}")

    class Meta:
        model = Operator
