import django_filters

from contacts.events.models import Delivery


class DeliveryFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(
        choices=Delivery.State.choices, help_text="May be repeated."
    )

    class Meta:
        model = Delivery
        fields: list[str] = []
