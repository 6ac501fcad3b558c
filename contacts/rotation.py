"""Where the smooth rotations of sources stand, kept in the database.

Read under the operators' locks, written in the same transaction: so no turn is lost or given
twice, whatever runs beside it and whenever it is killed.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from contacts.distribution import Candidate
from contacts.models import Rotation
from sources.models import Source


class Rotations:
    """The rotations that one transaction moves on, each among one set of candidates."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, str], Rotation] = {}
        self._moved: set[tuple[int, str]] = set()

    def with_turns(self, source: Source, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates with the turns that each has had in the present cycle."""
        turns = self._row(source, candidates).turns
        return [each._replace(turns=turns.get(str(each.operator_id), 0)) for each in candidates]

    def move_on(self, source: Source, candidates: Sequence[Candidate], chosen: Candidate) -> None:
        """Count a turn of the chosen one; after Σ weights turns the cycle begins anew."""
        row = self._row(source, candidates)
        key = str(chosen.operator_id)
        row.turns = row.turns | {key: row.turns.get(key, 0) + 1}
        if sum(row.turns.values()) >= sum(each.weight for each in candidates):
            row.turns = {}
        self._moved.add((source.pk, row.among))

    def write(self, now: datetime) -> None:
        """Keep what has moved."""
        for key in sorted(self._moved):
            row = self._rows[key]
            row.updated_at = now
            row.save()
        self._moved.clear()

    def _row(self, source: Source, candidates: Sequence[Candidate]) -> Rotation:
        names = ",".join(f"{each.operator_id}:{each.weight}" for each in candidates)
        among = sha256(names.encode()).hexdigest()
        if (source.pk, among) not in self._rows:
            found = Rotation.objects.filter(source=source, among=among).first()
            self._rows[source.pk, among] = found or Rotation(source=source, among=among)
        return self._rows[source.pk, among]
