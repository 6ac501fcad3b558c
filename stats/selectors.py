"""Figures over everything. Reads only."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from contacts.models import OPEN, WAITING, Contact
from contacts.selectors import with_load
from contacts.tally.reading import closed_contacts, draws_of, leads_there_are
from contacts.waiting import waiting_by_cause
from crm_project.moments import one_moment
from leads.models import Lead
from operators.models import Operator
from sources.models import Source
from stats.draws import NO_DRAWS, judged
from stats.wording import explain

Status = Contact.Status


@dataclass(frozen=True, slots=True)
class Period:
    """Half-open: `since` belongs to it, `until` does not. None means without end on that side."""

    since: datetime | None = None
    until: datetime | None = None

    def created(self) -> Q:
        """What was created in it."""
        created = Q()
        if self.since:
            created &= Q(created_at__gte=self.since)
        if self.until:
            created &= Q(created_at__lt=self.until)
        return created


def percentage(part: int, whole: int) -> float:
    """part / whole · 100, to two decimals; 0 where there is no whole."""
    return round(100 * part / whole, 2) if whole else 0.0


def overview() -> dict[str, Any]:
    """The whole house at this moment; capacities are over active operators."""
    with one_moment():
        return _overview()


def _overview() -> dict[str, Any]:
    opened = Contact.objects.filter(OPEN).aggregate(
        active_contacts=Count("pk"),
        new_contacts=Count("pk", filter=Q(status=Status.NEW)),
        in_progress_contacts=Count("pk", filter=Q(status=Status.IN_PROGRESS)),
        waiting_contacts=Count("pk", filter=WAITING),
    )
    closed = sum(closed_contacts().values())
    operators = list(with_load(Operator.objects.order_by("pk")))
    active = [operator for operator in operators if operator.is_active]
    return {
        "total_operators": len(operators),
        "active_operators": len(active),
        "total_sources": Source.objects.count(),
        "total_leads": leads_there_are() - Lead.objects.filter(merged_into__isnull=False).count(),
        "total_contacts": opened["active_contacts"] + closed,
        **opened,
        "closed_contacts": closed,
        "waiting_by_cause": waiting_by_cause(),
        "total_capacity": sum(each.max_active_contacts for each in active),
        "used_capacity": sum(each.current_load for each in active),  # type: ignore[attr-defined]
        "operators": [_load_of(operator) for operator in operators],
    }


def _load_of(operator: Any) -> dict[str, Any]:
    return {
        "operator_id": operator.pk,
        "operator_name": operator.name,
        "is_active": operator.is_active,
        "current_load": operator.current_load,
        "max_active_contacts": operator.max_active_contacts,
        "load_percentage": percentage(operator.current_load, operator.max_active_contacts),
    }


def of_source(source: Source, period: Period) -> dict[str, Any]:
    """A source's contacts created in the period, and how its operators shared them.

    `expected_share` is weight / Σ weights of all assigned, None for who no longer is;
    `actual_share` is over the contacts that have an operator, None where there is none.
    """
    with one_moment():
        return _of_source(source, period)


def _of_source(source: Source, period: Period) -> dict[str, Any]:
    opened = Contact.objects.filter(OPEN, period.created(), source=source).order_by()
    active = Counter(dict(opened.values_list("operator").annotate(count=Count("pk"))))
    closed = closed_contacts(source.pk, since=period.since, until=period.until)
    assigned = list(source.assignments.select_related("operator"))
    names = _names(assigned, active.keys() | closed.keys())
    weights = {row.operator_id: row.weight for row in assigned}
    total = active.total() + closed.total()
    handed_out = total - active[None] - closed[None]
    return {
        "source_id": source.pk,
        "source_code": source.code,
        "source_name": source.name,
        "total_contacts": total,
        "active_contacts": active.total(),
        "closed_contacts": closed.total(),
        "waiting_contacts": active[None],
        "operators": [
            {"operator_id": pk, "operator_name": names[pk], **_expected(weights, pk)}
            | _actual(active[pk], closed[pk], handed_out, total)
            for pk in sorted(names)
        ],
        "fairness": _fairness(source, period),
    }


def _names(assigned: Collection[Any], having: Collection[int | None]) -> dict[int, str]:
    """The operators' names, by id: of those assigned, and of those who have contacts."""
    names = {row.operator_id: row.operator.name for row in assigned}
    others = [pk for pk in having if pk is not None and pk not in names]
    return names | dict(Operator.objects.filter(pk__in=others).values_list("pk", "name"))


def _expected(weights: dict[int, int], operator_id: int) -> dict[str, Any]:
    weight = weights.get(operator_id)
    share = None if weight is None else weight / sum(weights.values())
    return {"weight": weight, "expected_share": share}


def _actual(active: int, closed: int, handed_out: int, total: int) -> dict[str, Any]:
    mine = active + closed
    return {
        "actual_share": mine / handed_out if handed_out else None,
        "total_contacts": mine,
        "active_contacts": active,
        "closed_contacts": closed,
        "load_percentage": percentage(mine, total),
    }


def _fairness(source: Source, period: Period) -> dict[str, Any]:
    """How the weighted draws of the period fell, held against the odds they were made with."""
    draws = draws_of(source.pk, since=period.since, until=period.until)
    found = judged(draws).get(source.pk, NO_DRAWS)
    fairness, names = found.fairness, found.names
    return asdict(fairness) | {
        "explanation": explain(fairness),
        "operators": [
            {"operator_name": names[each.operator_id]} | asdict(each) for each in fairness.operators
        ],
    }
