"""How a decision's candidates, and those passed over, are kept: JSON as ever, but each of them a
list of values instead of an object that names them: a quarter of the room, and of the time to
write it. Code sees objects. Records that hold objects, as all did once, are read as they are.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

BY_WEIGHT = ("operator_id", "operator_name", "weight", "current_load", "max_active_contacts")
WITH_SHARE = (*BY_WEIGHT, "share")
WITH_TURNS = (*WITH_SHARE, "turns")
SKIPPED = ("operator_id", "operator_name", "reason", "current_load", "max_active_contacts")

Row = Mapping[str, Any]


class _RowsField(models.JSONField):
    """A JSON column like any other, as migrations see it too."""

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return self.pack(value) if isinstance(value, list) else value

    def from_db_value(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> Sequence[Any] | None:
        rows: Sequence[Any] | None = super().from_db_value(value, expression, connection)
        return self.unpack(rows) if rows and isinstance(rows[0], list) else rows

    def pack(self, rows: Sequence[Row]) -> Sequence[Any]:
        """As objects where they are other than those that are written today."""
        raise NotImplementedError

    def unpack(self, rows: Sequence[list[Any]]) -> list[Row]:
        raise NotImplementedError


class CandidatesField(_RowsField):
    """Who could get the contact. Shares that the weights tell are not kept."""

    def pack(self, rows: Sequence[Row]) -> Sequence[Any]:
        if _have(rows, WITH_TURNS):
            return _values(rows, WITH_TURNS)
        if not _have(rows, WITH_SHARE):
            return rows
        shares = _by_weight([each["weight"] for each in rows])
        told = [each["share"] for each in rows] == shares
        return _values(rows, BY_WEIGHT if told else WITH_SHARE)

    def unpack(self, rows: Sequence[list[Any]]) -> list[Row]:
        shares = _by_weight([row[BY_WEIGHT.index("weight")] for row in rows])
        return [
            {"share": share} | dict(zip(WITH_TURNS, row, strict=False))
            for share, row in zip(shares, rows, strict=True)
        ]


class SkippedField(_RowsField):
    """Who could not get it, and why."""

    def pack(self, rows: Sequence[Row]) -> Sequence[Any]:
        return _values(rows, SKIPPED) if _have(rows, SKIPPED) else rows

    def unpack(self, rows: Sequence[list[Any]]) -> list[Row]:
        return [dict(zip(SKIPPED, row, strict=True)) for row in rows]


def _have(rows: Sequence[Row], keys: Collection[str]) -> bool:
    return all(each.keys() == set(keys) for each in rows)


def _values(rows: Sequence[Row], keys: Collection[str]) -> list[list[Any]]:
    return [[each[key] for key in keys] for each in rows]


def _by_weight(weights: Sequence[int]) -> list[float]:
    whole = sum(weights) or 1
    return [each / whole for each in weights]
