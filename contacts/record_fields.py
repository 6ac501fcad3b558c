"""How a decision's candidates, and those passed over, are kept: JSON as ever, but each of them a
list of values instead of an object that names them, in less than half the room. Code sees objects.
Records that hold objects, as all did once, are read as they are.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

BY_WEIGHT = ("operator_id", "operator_name", "weight", "current_load", "max_active_contacts")
WITH_SHARE = (*BY_WEIGHT, "share")
WITH_TURNS = (*WITH_SHARE, "turns")
SKIPPED = ("operator_id", "operator_name", "reason", "current_load", "max_active_contacts")

Person = Mapping[str, Any]


class _PeopleField(models.JSONField):
    """A JSON column like any other, as migrations see it too."""

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return self.pack(value) if isinstance(value, list) else value

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        kept = super().from_db_value(value, expression, connection)
        try:
            return self.unpack(kept) if isinstance(kept[0], list) else kept
        except (TypeError, LookupError, ValueError, ArithmeticError):
            # Nobody, or nothing that we wrote: `check_invariants` names the record.
            return kept

    def pack(self, people: Sequence[Person]) -> Sequence[Any]:
        """Each as the list of its values; all unchanged where one has other keys than today's."""
        raise NotImplementedError

    def unpack(self, lists: Sequence[list[Any]]) -> list[Person]:
        """What `pack` was given."""
        raise NotImplementedError


class CandidatesField(_PeopleField):
    """Who could get the contact. Shares that the weights tell are not kept."""

    def pack(self, people: Sequence[Person]) -> Sequence[Any]:
        if _all_have(people, WITH_TURNS):
            return _values(people, WITH_TURNS)
        if not _all_have(people, WITH_SHARE):
            return people
        by_weight = _shares([each["weight"] for each in people])
        same = [each["share"] for each in people] == by_weight
        return _values(people, BY_WEIGHT if same else WITH_SHARE)

    def unpack(self, lists: Sequence[list[Any]]) -> list[Person]:
        shares = _shares([each[BY_WEIGHT.index("weight")] for each in lists])
        return [
            # Of five values, six or seven.
            {"share": share} | dict(zip(WITH_TURNS, each, strict=False))
            for share, each in zip(shares, lists, strict=True)
        ]


class SkippedField(_PeopleField):
    """Who could not get it, and why."""

    def pack(self, people: Sequence[Person]) -> Sequence[Any]:
        return _values(people, SKIPPED) if _all_have(people, SKIPPED) else people

    def unpack(self, lists: Sequence[list[Any]]) -> list[Person]:
        return [dict(zip(SKIPPED, each, strict=True)) for each in lists]


def _all_have(people: Sequence[Person], keys: Collection[str]) -> bool:
    """Exactly these."""
    return all(each.keys() == set(keys) for each in people)


def _values(people: Sequence[Person], keys: Collection[str]) -> list[list[Any]]:
    return [[each[key] for key in keys] for each in people]


def _shares(weights: Sequence[int]) -> list[float]:
    """The probabilities of a draw by weight."""
    return [each / sum(weights) for each in weights]
