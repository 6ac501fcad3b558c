"""What came through a source in the last days and who serves it: the material of a simulation."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from contacts.distribution import Candidate
from contacts.models import OPEN, Contact
from contacts.simulation import Arrival, Busy
from sources.models import Source


@dataclass(frozen=True, slots=True)
class History:
    """A period of a source as it was, in seconds since its start.

    `arrivals` are its contacts, with the time from assignment to closing where both are known;
    `busy` the places that its operators gave to other contacts: of other sources, or older ones.
    """

    since: datetime
    until: datetime
    arrivals: tuple[Arrival, ...]
    busy: tuple[Busy, ...]

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()

    @property
    def observed(self) -> tuple[float, ...]:
        """The handling times that are known."""
        return tuple(each.handling for each in self.arrivals if each.handling is not None)


def team_of(source: Source) -> tuple[Candidate, ...]:
    """Who serves the source today, in order of ids, without load."""
    assignments = source.assignments.select_related("operator").order_by("operator")
    return tuple(
        Candidate(
            each.operator_id,
            each.operator.name,
            each.weight,
            load=0,
            limit=each.operator.max_active_contacts,
            is_active=each.operator.is_active,
        )
        for each in assignments
    )


def history_of(
    source: Source, operator_ids: Collection[int], *, since: datetime, until: datetime
) -> History:
    """What came through the source, and what else these operators had, from `since` to `until`.

    Of a contact that changed hands only the last operator's time is known.
    """
    arrived = Q(source=source, created_at__gte=since, created_at__lt=until)
    rows = Contact.objects.filter(arrived).order_by("created_at", "pk")
    arrivals = tuple(
        Arrival((created - since).total_seconds(), _handling(assigned, closed), lead)
        for created, assigned, closed, lead in rows.values_list(
            "created_at", "assigned_at", "closed_at", "lead_id"
        )
    )
    elsewhere = (
        Contact.objects.filter(operator__in=operator_ids, assigned_at__lt=until)
        .filter(OPEN | Q(closed_at__gt=since))
        .exclude(arrived)
        .order_by("pk")
    )
    busy = tuple(
        Busy(
            operator_id,
            since=(assigned - since).total_seconds(),  # type: ignore[operator]  # by the filter
            until=((closed or until) - since).total_seconds(),
        )
        for operator_id, assigned, closed in elsewhere.values_list(
            "operator", "assigned_at", "closed_at"
        )
    )
    return History(since, until, arrivals, busy)


def first_arrival(source: Source, *, since: datetime, until: datetime) -> datetime | None:
    """When the first contact of that time came through the source; None: there was none."""
    arrived = Contact.objects.filter(source=source, created_at__gte=since, created_at__lt=until)
    return arrived.order_by("created_at", "pk").values_list("created_at", flat=True).first()


def _handling(assigned: datetime | None, closed: datetime | None) -> float | None:
    if assigned is None or closed is None:
        return None
    return max(closed - assigned, timedelta(0)).total_seconds()
