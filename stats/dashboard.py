"""What the first page of the back office shows: a bounded number of queries, whatever there is."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count
from django.utils.translation import gettext as _

from contacts.events.models import Subscription
from contacts.events.selectors import given_up, unsent
from contacts.models import OPEN, WAITING, Contact
from contacts.selectors import with_load
from contacts.waiting import causes
from contacts.wording import cause_in_words
from operators.models import Operator
from sources.channel_words import missing_in_words
from sources.models import Assignment, Source
from stats.charts import Bar, Level, columns, fullness, level, scale
from stats.draws import MOST_DRAWS, Judged, recently_judged
from stats.fairness import Verdict
from stats.setup_problems import Channel, Staff, setup_problems
from stats.timeline import Span, by_day, counted, last_days, last_hours
from stats.wording import explain_in_source, verdict_name, waits

HOURS, DAYS, WEEK = 24, 14, 7
OPERATORS_SHOWN = WAITING_SHOWN = 20
PROBLEMS_SHOWN = 5
SOURCES_SHOWN = 50


class Step(NamedTuple):
    """Something to begin with, and the name of the page where it is done."""

    text: str
    page: str
    done: bool


@dataclass(frozen=True, slots=True)
class OperatorLoad:
    """A bar of load; `filled` in units of the chart's width."""

    pk: int
    name: str
    load: int
    limit: int
    filled: float
    level: Level

    @property
    def excess(self) -> int:
        return self.load - self.limit


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns over spans of time: a list of bars for each series, and the rows of the same as a
    table. Each begins with the start of its span.
    """

    top: int
    bars: list[list[tuple[datetime, Bar]]]
    rows: list[tuple[Any, ...]]


def live(now: datetime) -> dict[str, Any]:
    """Everything that changes by the second."""
    operators = list(with_load(Operator.objects.order_by("pk")))
    sources = list(Source.objects.select_related("channel").order_by("pk"))
    pairs = list(Assignment.objects.order_by().values_list("source", "operator"))
    statuses = Contact.objects.filter(OPEN).order_by().values_list("status")
    days = last_days(now, DAYS)
    came, closed = by_day("created_at", days), by_day("closed_at", days)
    waiting = _waiting(sources, now)
    staff = [
        Staff(each.pk, each.name, each.is_active, each.current_load, each.max_active_contacts)  # type: ignore[attr-defined]  # annotated
        for each in operators
    ]
    channels = [
        Channel(
            each.pk,
            each.name,
            each.is_active or each.pk in waiting["by_source"],
            missing_in_words(each),
        )
        for each in sources
    ]
    problems = setup_problems(
        staff, channels, pairs, unsent=_page_of(unsent()), given_up=_page_of(given_up())
    )
    return {
        "now": now,
        "steps": _first_steps(
            operators=bool(operators), sources=bool(sources), assignments=bool(pairs)
        ),
        "problems": _parted(problems, PROBLEMS_SHOWN),
        "totals": _totals(dict(statuses.annotate(count=Count("pk"))), staff)
        | {"came": came[-1], "came_week": sum(came[-WEEK:])}
        | {"closed": closed[-1], "closed_week": sum(closed[-WEEK:])},
        "operators": _parted(_loads(staff), OPERATORS_SHOWN),
        "waiting": waiting,
        "hours": _chart(hours := last_hours(now, HOURS), counted("created_at", hours)),
        "days": _chart(days, came, closed),
    }


def _parted(rows: list[Any], shown: int) -> dict[str, list[Any]]:
    """What is shown at once, and what only to who asks for all."""
    return {"all": rows, "first": rows[:shown], "rest": rows[shown:]}


def _page_of(subscription: Subscription | None) -> tuple[str, int] | None:
    """Its page in the back office, and its id."""
    if subscription is None:
        return None
    is_webhook = subscription.kind == Subscription.Kind.WEBHOOK
    model = "subscription" if is_webhook else "operatornotice"
    return f"admin:events_{model}_change", subscription.pk


def _first_steps(*, operators: bool, sources: bool, assignments: bool) -> list[Step]:
    """What comes first, and what of it has been done; empty where all of it has."""
    steps = [
        Step(
            _("Add an operator: who answers, and how many contacts at a time"),
            "admin:operators_operator_add",
            operators,
        ),
        Step(
            _("Add a source: a bot, a messenger, a form on a page"),
            "admin:sources_source_add",
            sources,
        ),
        Step(
            _("Assign operators to the source, with weights"),
            "admin:sources_source_changelist",
            assignments,
        ),
        Step(_("Send the first contact: POST /contacts"), "docs", Contact.objects.exists()),
    ]
    return [] if all(step.done for step in steps) else steps


def _totals(statuses: dict[str, int], staff: Sequence[Staff]) -> dict[str, int]:
    active = [each for each in staff if each.is_active]
    return {
        "new": statuses.get(Contact.Status.NEW, 0),
        "in_progress": statuses.get(Contact.Status.IN_PROGRESS, 0),
        "used_capacity": sum(each.load for each in active),
        "total_capacity": sum(each.limit for each in active),
    }


def _loads(staff: Sequence[Staff]) -> list[OperatorLoad]:
    """The fullest first, the inactive last."""
    loads = [
        OperatorLoad(
            each.pk,
            each.name,
            each.load,
            each.limit,
            fullness(each.load, each.limit),
            level(each.load, each.limit, is_active=each.is_active),
        )
        for each in staff
    ]
    return sorted(
        loads, key=lambda each: (each.level == Level.INACTIVE, -each.load / each.limit, each.pk)
    )


def _waiting(sources: Sequence[Source], now: datetime) -> dict[str, Any]:
    """How many wait, why, and those who have waited longest."""
    contacts = Contact.objects.filter(WAITING)
    counts = dict(contacts.order_by().values_list("source").annotate(count=Count("pk")))
    known = {source.pk: source for source in sources if source.pk in counts}
    why = causes(list(known.values())) if known else {}
    by_cause: Counter[str] = Counter()
    for source_id, cause in why.items():
        by_cause[cause_in_words(cause)] += counts[source_id]
    # Leads are read afterwards: joined, all of them might be read before the oldest are chosen.
    oldest = contacts.defer("message").prefetch_related("lead").order_by("waiting_since", "pk")
    return {
        "count": sum(counts.values()),
        "by_source": counts,
        "by_cause": by_cause.most_common(),
        "oldest": [
            {
                "contact": each,
                "age": waits(now - each.waiting_since),
                "source": known[each.source_id],
                "cause": cause_in_words(why[each.source_id]),
            }
            for each in (oldest[:WAITING_SHOWN] if known else [])
            if each.waiting_since and each.source_id in known
        ],
    }


def _chart(spans: Sequence[Span], *series: list[int]) -> Chart:
    top = scale([value for values in series for value in values])
    rows = [(span.start, *values) for span, *values in zip(spans, *series, strict=True)]
    starts = [span.start for span in spans]
    bars = [list(zip(starts, each, strict=True)) for each in columns(series)]
    return Chart(top, bars, rows)


def fairness(now: datetime) -> dict[str, Any]:
    """How the latest draws of each source fell; suspicious sources first."""
    sources = list(Source.objects.order_by("-is_active", "pk")[: SOURCES_SHOWN + 1])
    shown = sources[:SOURCES_SHOWN]
    found, complete = recently_judged([source.pk for source in shown], now=now)
    pairs = Assignment.objects.filter(source__in=found).order_by()
    weights: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for source_id, operator_id, weight in pairs.values_list("source", "operator", "weight"):
        weights[source_id][operator_id] = weight
    rows = [
        _shares(source, found[source.pk][0], weights[source.pk])
        for source in shown
        if source.pk in found
    ]
    rows.sort(key=lambda row: row["verdict"] != Verdict.SUSPICIOUS)
    return {
        "rows": rows,
        "at": min((at for _, at in found.values()), default=now),
        "to_come": len(shown) - len(rows),
        "complete": complete,
        "more": len(sources) > SOURCES_SHOWN,
        "most": MOST_DRAWS,
    }


def _shares(source: Source, judged: Judged, weights: dict[int, int]) -> dict[str, Any]:
    """What each operator was due and got, as percentages of the source's draws.

    `weight` is None for who is no longer assigned.
    """
    fairness = judged.fairness
    return {
        "source": source,
        "verdict": fairness.verdict,
        "verdict_name": verdict_name(fairness.verdict),
        "sentence": explain_in_source(source, fairness),
        "draws": fairness.draws,
        "operators": [
            {
                "name": judged.names[each.operator_id],
                "weight": weights.get(each.operator_id),
                "expected": 100 * each.expected / fairness.draws,
                "actual": 100 * each.actual / fairness.draws,
                "count": each.actual,
                "verdict": each.verdict,
                "verdict_name": verdict_name(each.verdict),
            }
            for each in fairness.operators
        ],
    }
