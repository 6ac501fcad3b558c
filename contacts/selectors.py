"""Reads of contacts that several modules share."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from contacts.distribution import Candidate
from contacts.models import OPEN, WAITING, Contact
from leads.models import Lead
from operators.models import Operator
from sources.models import Assignment, Source


def open_contacts_of(operator: str) -> Coalesce:
    """The number of open contacts, over all sources, of the operator whom the expression names."""
    counted = (
        Contact.objects.filter(OPEN, operator=OuterRef(operator))
        .order_by()
        .values("operator")
        # Not of the key, which the index of the open ones does not hold.
        .annotate(count=Count("*"))
    )
    return Coalesce(Subquery(counted.values("count")), 0)


def with_load(operators: QuerySet[Operator]) -> QuerySet[Operator]:
    """Operators with their `current_load`: counted, not stored."""
    return operators.annotate(current_load=open_contacts_of("pk"))


def assignments_with_load(source_ids: Collection[int]) -> QuerySet[Assignment]:
    """The sources' assignments, in order of operators, each with its operator, the operator's
    `load`, and of the source whether it `hands_out` by itself and `has_queue`.
    """
    queue = Contact.objects.filter(WAITING, source=OuterRef("source"))
    return (
        Assignment.objects.filter(source__in=source_ids)
        .select_related("operator")
        .annotate(
            load=open_contacts_of("operator"),
            hands_out=F("source__auto_assign_waiting"),
            has_queue=Exists(queue),
        )
        .order_by("operator")
    )


def as_candidate(assignment: Assignment, *, now: datetime) -> Candidate:
    """A row of `assignments_with_load` as the pure choice knows it."""
    operator = assignment.operator
    return Candidate(
        operator_id=operator.pk,
        name=operator.name,
        weight=assignment.weight,
        load=assignment.load,  # type: ignore[attr-defined]  # annotated
        limit=operator.max_active_contacts,
        is_active=operator.is_active,
        on_shift=operator.is_on_shift(now),
        back_at=operator.back_at(now),
    )


def queues(sources: QuerySet[Source], *, switched_off: bool = False) -> frozenset[int]:
    """Those of the sources where somebody waits to be handed out by itself; with `switched_off`
    also where `auto_assign_waiting` is off.
    """
    found = sources.filter(Exists(Contact.objects.filter(WAITING, source=OuterRef("pk"))))
    if not switched_off:
        found = found.filter(auto_assign_waiting=True)
    return frozenset(found.order_by().values_list("pk", flat=True))


def queues_of(operators: Collection[int]) -> frozenset[int]:
    """The queues from which one of these operators could take a contact."""
    if not operators:
        return frozenset()
    return queues(Source.objects.filter(assignments__operator__in=operators))


def count_contacts(lead_ids: Collection[int]) -> dict[int, int]:
    """How many contacts each of the leads has; one without any is left out."""
    counted = Contact.objects.filter(lead__in=lead_ids).order_by().values_list("lead")
    return dict(counted.annotate(count=Count("pk")))


class Latest(NamedTuple):
    """A lead's latest contact that has an operator; of two, the later one is the greater.

    One that is not in the database yet has the id `inf`.
    """

    created_at: datetime
    contact_id: float
    operator_id: int


def latest_of_leads(lead_ids: Iterable[int]) -> dict[int, Latest]:
    """Each lead's latest contact, in whatever source, that has an operator; no lead without."""
    theirs = Contact.objects.filter(lead=OuterRef("pk"), operator__isnull=False)
    newest = theirs.order_by("-created_at", "-pk").values("pk")[:1]
    leads = Lead.objects.filter(pk__in=lead_ids).annotate(latest=Subquery(newest))
    latest = Contact.objects.filter(pk__in=leads.values("latest"), operator__isnull=False)
    return {
        each.lead_id: Latest(each.created_at, each.pk, each.operator_id)
        for each in latest.only("lead", "created_at", "operator")
        if each.operator_id
    }
