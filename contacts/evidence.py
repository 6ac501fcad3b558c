"""What is read to tell whether the invariants hold: the same for several of them."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import OuterRef, Subquery

from contacts.history import Kind
from contacts.models import WAITING, Contact, DecisionRecord
from sources.models import Source


@dataclass(frozen=True, slots=True)
class NextOne:
    """The oldest who waits in a source; `parked` is the id of the record since which it does,
    None where none is kept.
    """

    contact_id: int
    source: Source
    since: datetime
    parked: int | None

    def is_before(self, contact_id: int, since: datetime) -> bool:
        """Does it come first, by the order of the queue?"""
        return (self.since, self.contact_id) < (since, contact_id)


class Record(NamedTuple):
    """Of a decision what is checked, and how its contact stands now.

    As a model with its contact it took twice as long to read.
    """

    id: int
    contact_id: int
    source_id: int
    kind: str
    operator_id: int | None
    previous_operator_id: int | None
    strategy: str
    candidates: list[dict[str, Any]]
    skipped: list[dict[str, Any]]
    odds: str
    draw: float | None
    forced: bool
    auto_assign_waiting: bool
    created_at: datetime
    contact__operator: int | None
    contact__status: str

    def __str__(self) -> str:
        return f"record {self.id} of contact {self.contact_id}"

    @property
    def is_by_rules(self) -> bool:
        """Did the rules of the source give the contact to somebody?

        A reassignment or timeout that finds nobody else can name the operator with whom the
        contact stays.
        """
        kept = self.operator_id == self.previous_operator_id
        stays = kept and self.kind in {Kind.REASSIGN, Kind.TIMEOUT}
        return bool(self.strategy and self.operator_id and not stays)

    def chosen(self) -> dict[str, Any] | None:
        """The candidate whom the rules gave the contact; None: nobody, or no candidate."""
        mine = (each for each in self.candidates if each["operator_id"] == self.operator_id)
        return next(mine, None) if self.is_by_rules else None


class Rows:
    """What several invariants read: the newest so many records, and who is next in the queues."""

    def __init__(self, records: int) -> None:
        self._count = records

    @cached_property
    def records(self) -> list[Record]:
        """Oldest first. Read backwards by the primary key."""
        newest = DecisionRecord.objects.order_by("-pk").values_list(*Record._fields)
        return [Record._make(row) for row in newest[: self._count]][::-1]

    @cached_property
    def next_ones(self) -> dict[int, NextOne]:
        """By source, where the queue moves by itself. One look into two indexes per source."""
        waiting = Contact.objects.filter(WAITING, source=OuterRef("pk"))
        oldest = waiting.order_by("waiting_since", "pk").values("pk")[:1]
        sources = Source.objects.filter(auto_assign_waiting=True).order_by()
        since = DecisionRecord.objects.filter(
            contact=OuterRef("pk"), operator_id=None, created_at=OuterRef("waiting_since")
        )
        contacts = (
            Contact.objects.filter(pk__in=sources.annotate(one=Subquery(oldest)).values("one"))
            .select_related("source")
            .annotate(parked=Subquery(since.order_by("-pk").values("pk")[:1]))
            .order_by("source")
        )
        return {
            each.source_id: NextOne(each.pk, each.source, each.waiting_since, each.parked)
            for each in contacts
            if each.waiting_since
        }
