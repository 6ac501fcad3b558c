"""Every write to operators, save their deletion, which first hands out their contacts
(`contacts.services.delete_operator`).
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_changed, note_created
from crm_project.errors import Conflict
from operators.models import Operator

TOLD_OF_NEW = ["name", "is_active", "max_active_contacts"]


@transaction.atomic
def create_operator(*, actor: Actor = SYSTEM, **fields: Any) -> Operator:
    """Make an operator; a field that is not given has its default."""
    operator = Operator.objects.create(**fields)
    note_created(operator, TOLD_OF_NEW, actor=actor)
    return operator


@transaction.atomic
def update_operator(
    operator: Operator,
    *,
    actor: Actor = SYSTEM,
    expected: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Operator:
    """Change the given fields and no other.

    `expected` are values that the change rests on; raises Conflict where one is another now.

    A limit below the load is taken: nothing is taken away, nothing new comes.
    Raises Operator.DoesNotExist where it has been deleted meanwhile.
    """
    # The lock makes every distribution see either all of the change or none of it.
    locked = Operator.objects.select_for_update(no_key=True).get(pk=operator.pk)
    if any(getattr(locked, name) != value for name, value in (expected or {}).items()):
        raise Conflict
    before = {name: getattr(locked, name) for name in changes}
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    note_changed(locked, before, actor=actor)
    return locked
