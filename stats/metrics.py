"""How things stand at this moment, for `/metrics`: asked of the database at each scrape.

Nothing here looks at more than what is open.
"""

from collections.abc import Iterator, Sequence

from django.db import Error
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from contacts.events.selectors import counts_by_state
from contacts.models import WAITING, Contact
from contacts.selectors import with_load
from crm_project.metrics import counted
from operators.models import Operator
from sources.models import Assignment, Source


class Everything:
    """What the processes counted, and how things stand; without a database only the former."""

    def collect(self) -> Iterator[Metric]:
        yield from counted()
        try:
            figures = now()
        except Error:
            figures = []
        up = GaugeMetricFamily("crm_database_up", "Whether the database answers: 1 or 0.")
        up.add_metric([], int(bool(figures)))
        yield up
        yield from figures


def now() -> list[Metric]:
    """Five queries, however many sources and operators there are."""
    codes = list(Source.objects.order_by("pk").values_list("code", flat=True))
    return [*_queues(codes), *_loads(codes), _deliveries()]


def _queues(codes: Sequence[str]) -> Iterator[Metric]:
    rows = Contact.objects.filter(WAITING).order_by().values_list("source__code")
    queues = {
        code: (count, since)
        for code, count, since in rows.annotate(count=Count("pk"), since=Min("waiting_since"))
    }
    moment = timezone.now()
    counts = _by_source("crm_waiting_contacts", "Contacts that wait for an operator.")
    ages = _by_source(
        "crm_waiting_oldest_seconds",
        "How long the first in the queue has waited, in seconds; 0 where nobody waits.",
    )
    for code in codes:
        count, since = queues.get(code, (0, moment))
        counts.add_metric([code], count)
        ages.add_metric([code], max((moment - since).total_seconds(), 0))
    yield counts
    yield ages


def _loads(codes: Sequence[str]) -> Iterator[Metric]:
    operators = {each.pk: each for each in with_load(Operator.objects.order_by())}
    load, capacity = dict.fromkeys(codes, 0), dict.fromkeys(codes, 0)
    for code, pk in Assignment.objects.order_by().values_list("source__code", "operator"):
        # One of the two may have come since the other query.
        if code in load and pk in operators and operators[pk].is_active:
            load[code] += operators[pk].current_load  # type: ignore[attr-defined]  # annotated
            capacity[code] += operators[pk].max_active_contacts
    loads = _by_source(
        "crm_source_load",
        "Open contacts, of whatever source, of the active operators assigned to the source.",
    )
    capacities = _by_source(
        "crm_source_capacity", "Sum of the limits of the active operators assigned to the source."
    )
    for code in codes:
        loads.add_metric([code], load[code])
        capacities.add_metric([code], capacity[code])
    yield loads
    yield capacities
    over = GaugeMetricFamily(
        "crm_operators_over_limit", "Operators who have more open contacts than their limit."
    )
    busy = operators.values()
    over.add_metric([], sum(each.current_load > each.max_active_contacts for each in busy))  # type: ignore[attr-defined]  # annotated
    yield over


def _deliveries() -> Metric:
    deliveries = GaugeMetricFamily(
        "crm_event_deliveries",
        "Events that are still to be sent (pending), or were given up (dead).",
        labels=["state"],
    )
    for state, count in counts_by_state().items():
        deliveries.add_metric([state], count)
    return deliveries


def _by_source(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["source"])
