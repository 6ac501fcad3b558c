"""Every write to sources and assignments.

Lock order: operators, then sources, then assignments. An assignment is written under the lock of
its operator, so that no contact goes to somebody who is no longer assigned.
"""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_created, note_deleted, note_values
from crm_project.errors import Conflict, invalid
from operators.models import Operator
from sources.channel_settings import Given, configure
from sources.models import Assignment, Source

TOLD_OF_NEW = ["name", "code", "is_active", "auto_assign_waiting", "sticky", "strategy"]
TOLD_OF_NEW += ["response_minutes", "response_handovers", "kind", "reuse_open_contact"]


class SourceInUse(Conflict):
    default_code = "source_in_use"


@transaction.atomic
def create_source(*, actor: Actor = SYSTEM, channel: Given | None = None, **fields: Any) -> Source:
    """Make a source, and the secrets of its kind; a field that is not given has its default.

    Raises a ValidationError where somebody has just taken the code, or where what is given for
    the channel is wrong.
    """
    fields.setdefault("reuse_open_contact", reuses_by_default(fields.get("kind")))
    source = _save(Source(**fields), None)
    of_channel = configure(source, channel or {}, anew=False)
    after = {name: new for name, (_old, new) in of_channel.items()}
    note_created(source, TOLD_OF_NEW, actor=actor, more=after)
    return source


def reuses_by_default(kind: str | None) -> bool:
    """Is a further message part of the same matter, where nobody says?"""
    return kind in Source.MESSENGERS


@transaction.atomic
def update_source(
    source: Source,
    *,
    actor: Actor = SYSTEM,
    expected: Mapping[str, Any] | None = None,
    channel: Given | None = None,
    **changes: Any,
) -> Source:
    """Change the given fields and no other. Another kind begins with nothing set for its channel.

    `expected` are values that the change rests on; raises Conflict where one is another now,
    and a ValidationError where somebody has just taken the code, or where what is given for the
    channel is wrong.
    """
    stored = Source.objects.select_for_update(no_key=True).filter(pk=source.pk).values().first()
    before: Mapping[str, Any] = stored or {}
    if any(before.get(name) != value for name, value in (expected or {}).items()):
        raise Conflict
    # A form may have written its own into it already.
    source.kind = before.get("kind", source.kind)
    is_other = changes.get("kind", source.kind) != source.kind
    if is_other:
        changes.setdefault("reuse_open_contact", reuses_by_default(changes["kind"]))
    for name, value in changes.items():
        setattr(source, name, value)
    _save(source, list(changes))
    values = {name: (before.get(name), value) for name, value in changes.items()}
    if is_other or channel is not None:
        values |= configure(source, channel or {}, anew=is_other)
    note_values(source, values, actor=actor)
    return source


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


def delete_source(source: Source, *, actor: Actor = SYSTEM) -> None:
    """Delete a source that has no contacts, with its assignments.

    Raises SourceInUse, saying how many, where it has some.
    """
    try:
        with transaction.atomic():
            # Its assignments go first: whoever sets a weight meanwhile locks the two in this order.
            Source.objects.select_for_update().filter(pk=source.pk).first()
            for each in source.assignments.select_related("operator").order_by("pk"):
                values = {"weight": (each.weight, None)}
                note_values(each.operator, values, actor=actor, about=source.name)
            note_deleted(source, actor=actor)
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
def set_weight(
    *, operator_id: int, source_id: int, weight: int, actor: Actor = SYSTEM
) -> tuple[Assignment, bool]:
    """Assign the operator to the source at this weight; the flag tells whether that is new.

    Raises a ValidationError that names the one that does not exist.
    """
    source = Source.objects.filter(pk=source_id).first()
    if source is None:
        raise invalid("source_id", _("There is no such source."), code="does_not_exist")
    operator = Operator.objects.select_for_update(no_key=True).filter(pk=operator_id).first()
    if operator is None:
        raise invalid("operator_id", _("There is no such operator."), code="does_not_exist")
    pair = Assignment.objects.filter(operator=operator, source=source)
    before = pair.values_list("weight", flat=True).first()
    written, created = Assignment.objects.update_or_create(
        operator=operator, source=source, defaults={"weight": weight}
    )
    _note_weight(written, before, weight, actor)
    return written, created


@transaction.atomic
def change_weight(assignment: Assignment, *, weight: int, actor: Actor = SYSTEM) -> Assignment:
    """Set the weight of an assignment that stands.

    Raises Assignment.DoesNotExist where it has been removed meanwhile.
    """
    _lock_operator(assignment)
    stored = Assignment.objects.select_for_update(no_key=True).get(pk=assignment.pk)
    before, assignment.weight = stored.weight, weight
    assignment.save(update_fields=["weight"])
    _note_weight(assignment, before, weight, actor)
    return assignment


@transaction.atomic
def remove_assignment(assignment: Assignment, *, actor: Actor = SYSTEM) -> None:
    """Take the operator off the source; the open contacts stay where they are."""
    _lock_operator(assignment)
    stored = Assignment.objects.filter(pk=assignment.pk).first()
    if stored:
        _note_weight(assignment, stored.weight, None, actor)
        stored.delete()


def _note_weight(
    assignment: Assignment, before: int | None, after: int | None, actor: Actor
) -> None:
    """Keep it with both whom it concerns; None: not assigned."""
    source, operator = assignment.source, assignment.operator
    values = {"weight": (before, after)}
    note_values(source, values, actor=actor, about=operator.name)
    note_values(operator, values, actor=actor, about=source.name)


def _lock_operator(assignment: Assignment) -> None:
    Operator.objects.select_for_update(no_key=True).filter(pk=assignment.operator_id).first()
