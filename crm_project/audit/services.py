"""Keeping account of changes, in the transaction that makes them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet
from django.utils import timezone

from crm_project.actor import Actor
from crm_project.audit.models import Change

Action = Change.Action


def note_created(
    subject: Model, names: Iterable[str], *, actor: Actor, more: Mapping[str, Any] | None = None
) -> None:
    """Keep who made the object, and with what values of the fields named, save empty ones.

    `more` are values that are no fields of its row.
    """
    values = {name: _plain(getattr(subject, name)) for name in names} | dict(more or {})
    fields = {name: [None, value] for name, value in values.items() if value not in (None, "")}
    _write(subject, Action.CREATE, fields, actor=actor)


def note_changed(
    subject: Model, before: Mapping[str, Any], *, actor: Actor, now: datetime | None = None
) -> None:
    """Keep who changed the object; `before` are its fields' former values.

    A field that is as it was is left out; where all are, nothing is kept. `now` is the moment,
    the present one where it is None.
    """
    note_values(
        subject,
        {name: (old, getattr(subject, name)) for name, old in before.items()},
        actor=actor,
        now=now,
    )


def note_values(
    subject: Model,
    values: Mapping[str, tuple[Any, Any]],
    *,
    actor: Actor,
    about: str = "",
    now: datetime | None = None,
) -> None:
    """The same for values, before and after, that are no fields of the object; `about` says whose
    they are.
    """
    fields = {name: [_plain(old), _plain(new)] for name, (old, new) in values.items() if old != new}
    if fields:
        _write(subject, Action.CHANGE, fields, actor=actor, about=about, now=now)


def note_done_to_each(subjects: Iterable[Model], what: str, *, actor: Actor) -> None:
    """Keep of many objects that something was done to them, once and for all."""
    fields = {what: [False, True]}
    Change.objects.bulk_create(
        [_change(subject, Action.CHANGE, fields, actor=actor) for subject in subjects]
    )


def note_deleted(subject: Model, *, actor: Actor) -> None:
    """Keep who is about to delete the object."""
    _write(subject, Action.DELETE, {}, actor=actor)


def forget_values(subjects: Collection[Model]) -> None:
    """Keep who changed which fields of these objects of one kind, but no text that was in them.

    They go by their present names from now on.
    """
    names = {subject.pk: str(subject)[:255] for subject in subjects}
    kinds = {_type_of(subject) for subject in subjects}
    changes = list(Change.objects.filter(subject_type__in=kinds, subject_id__in=names))
    for change in changes:
        change.subject_name = names[change.subject_id]
        change.fields = {
            name: [None if isinstance(value, str) else value for value in values]
            for name, values in change.fields.items()
        }
    Change.objects.bulk_update(changes, ["subject_name", "fields"], batch_size=500)


def changes_of(subject: Model) -> QuerySet[Change]:
    """All that was done to the object, newest first."""
    return Change.objects.filter(subject_type=_type_of(subject), subject_id=subject.pk)


def _type_of(subject: Model) -> str:
    return subject._meta.model_name or ""


def _plain(value: Any) -> Any:
    """What another object is called says more than its id, and outlives it."""
    return str(value) if isinstance(value, Model) else value


def _write(*args: Any, **kwargs: Any) -> None:
    _change(*args, **kwargs).save(force_insert=True)


def _change(
    subject: Model,
    action: Action,
    fields: dict[str, list[Any]],
    *,
    actor: Actor,
    about: str = "",
    now: datetime | None = None,
) -> Change:
    return Change(
        subject_type=_type_of(subject),
        subject_id=subject.pk,
        subject_name=str(subject)[:255],
        action=action,
        fields=fields,
        about=about,
        actor_type=actor.type,
        actor_name=actor.name,
        created_at=now or timezone.now(),
    )
