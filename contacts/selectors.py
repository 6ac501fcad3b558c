"""Reads of contacts that several faces share."""

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from contacts.distribution import Candidate, Decision, decide
from contacts.models import OPEN, Contact
from operators.models import Operator
from sources.models import Assignment, Source

Row = TypeVar("Row", bound=Model)


def open_contacts_of(operator: str) -> Coalesce:
    """The number of open contacts, over all sources, of the operator whom the expression names."""
    counted = (
        Contact.objects.filter(OPEN, operator=OuterRef(operator))
        .order_by()
        .values("operator")
        .annotate(count=Count("pk"))
    )
    return Coalesce(Subquery(counted.values("count")), 0)


def with_load(operators: QuerySet[Operator]) -> QuerySet[Operator]:
    """Operators with their `current_load`: counted, not stored."""
    return operators.annotate(current_load=open_contacts_of("pk"))


def assignments_with_load(source_ids: Sequence[int]) -> QuerySet[Assignment]:
    """The sources' assignments, in order of operators, each with its operator and `load`."""
    return (
        Assignment.objects.filter(source__in=source_ids)
        .select_related("operator")
        .annotate(load=open_contacts_of("operator"))
        .order_by("operator")
    )


def as_candidate(assignment: Assignment) -> Candidate:
    """A row of `assignments_with_load` as the pure choice knows it."""
    operator = assignment.operator
    return Candidate(
        operator_id=operator.pk,
        name=operator.name,
        weight=assignment.weight,
        load=assignment.load,  # type: ignore[attr-defined]  # annotated
        limit=operator.max_active_contacts,
        is_active=operator.is_active,
    )


def shares_now(source: Source, assignments: Sequence[Assignment]) -> dict[int, float]:
    """Each operator's probability to get the source's next contact; 0 if not available."""
    serving = assignments if source.is_active else []
    decision: Decision = decide([as_candidate(each) for each in serving], draw=lambda: 0.0)
    return {each.operator_id: 0.0 for each in assignments} | {
        candidate.operator_id: decision.share(candidate) for candidate in decision.candidates
    }
