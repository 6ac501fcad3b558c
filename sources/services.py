"""Every write to sources and assignments.

Lock order: operators, then sources, then assignments. An assignment is written under the lock of
its operator, so that no contact goes to somebody who is no longer assigned.
"""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_project.errors import Conflict, invalid
from operators.models import Operator
from sources.models import Assignment, Source


class SourceInUse(Conflict):
    default_code = "source_in_use"


def create_source(**fields: Any) -> Source:
    """Make a source; a field that is not given has its default.

    Raises a ValidationError where somebody has just taken the code.
    """
    return _save(Source(**fields), None)


def update_source(source: Source, **changes: Any) -> Source:
    """Change the given fields and no other.

    Raises a ValidationError where somebody has just taken the code.
    """
    for name, value in changes.items():
        setattr(source, name, value)
    return _save(source, list(changes))


def _save(source: Source, update_fields: list[str] | None) -> Source:
    try:
        with transaction.atomic():
            source.save(update_fields=update_fields)
    except IntegrityError as error:
        if not Source.objects.filter(code=source.code).exclude(pk=source.pk).exists():
            raise
        raise invalid(
            "code", _("A source with this code exists already."), code="unique"
        ) from error
    return source


def delete_source(source: Source) -> None:
    """Delete a source that has no contacts, with its assignments.

    Raises SourceInUse, saying how many, where it has some.
    """
    try:
        with transaction.atomic():
            # Its assignments go first: whoever sets a weight meanwhile locks the two in this order.
            Source.objects.select_for_update().filter(pk=source.pk).first()
            source.delete()
    except (ProtectedError, IntegrityError) as error:
        count = source.contacts.count()
        if not count:
            raise Conflict from error
        raise SourceInUse(
            ngettext(
                "The source has %(count)d contact. Deactivate it instead.",
                "The source has %(count)d contacts. Deactivate it instead.",
                count,
            )
            % {"count": count}
        ) from error


@transaction.atomic
def set_weight(*, operator_id: int, source_id: int, weight: int) -> tuple[Assignment, bool]:
    """Assign the operator to the source at this weight; the flag tells whether that is new.

    Raises a ValidationError that names the one that does not exist.
    """
    if not Source.objects.filter(pk=source_id).exists():
        raise invalid("source_id", _("There is no such source."), code="does_not_exist")
    if Operator.objects.select_for_update(no_key=True).filter(pk=operator_id).first() is None:
        raise invalid("operator_id", _("There is no such operator."), code="does_not_exist")
    return Assignment.objects.update_or_create(
        operator_id=operator_id, source_id=source_id, defaults={"weight": weight}
    )


@transaction.atomic
def change_weight(assignment: Assignment, *, weight: int) -> Assignment:
    """Set the weight of an assignment that stands.

    Raises Assignment.DoesNotExist where it has been removed meanwhile.
    """
    _lock_operator(assignment)
    assignment.weight = weight
    if not Assignment.objects.filter(pk=assignment.pk).update(weight=weight):
        raise Assignment.DoesNotExist
    return assignment


@transaction.atomic
def remove_assignment(assignment: Assignment) -> None:
    """Take the operator off the source; the open contacts stay where they are."""
    _lock_operator(assignment)
    assignment.delete()


def _lock_operator(assignment: Assignment) -> None:
    Operator.objects.select_for_update(no_key=True).filter(pk=assignment.operator_id).first()
