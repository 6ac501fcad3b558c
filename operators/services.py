"""Every write to operators, save their deletion, which first hands out their contacts
(`contacts.services.delete_operator`).
"""

from typing import Any

from django.db import transaction

from operators.models import Operator


def create_operator(**fields: Any) -> Operator:
    """Make an operator; a field that is not given has its default."""
    return Operator.objects.create(**fields)


@transaction.atomic
def update_operator(operator: Operator, **changes: Any) -> Operator:
    """Change the given fields and no other.

    A limit below the load is taken: nothing is taken away, nothing new comes.
    Raises Operator.DoesNotExist where it has been deleted meanwhile.
    """
    # The lock makes every distribution see either all of the change or none of it.
    locked = Operator.objects.select_for_update(no_key=True).get(pk=operator.pk)
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    return locked
