"""Fairness of the sources, from the record of their decisions."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.core.cache import cache
from django.db.models import OuterRef, Q, QuerySet, Subquery

from contacts.models import DecisionRecord
from contacts.tally.reading import Draws, draws_among
from operators.models import Operator
from sources.models import Source
from stats.fairness import Drawn, Fairness, judge, parse_odds

WINDOW = timedelta(days=7)
MOST_DRAWS = 500
# 500 draws among a dozen operators take about 15 ms when no two are among the same.
AT_ONCE = 6
FRESH = timedelta(minutes=1)
CACHE_SECONDS = 60 * 60


@dataclass(frozen=True, slots=True)
class Judged:
    """How the draws of a source fell, and the names of those who took part."""

    fairness: Fairness
    names: dict[int, str]


NO_DRAWS = Judged(judge([]), {})


def judged(draws: Iterable[Draws]) -> dict[int, Judged]:
    """The draws, source by source; a source without is not there."""
    drawn: defaultdict[int, list[Drawn]] = defaultdict(list)
    latest: dict[int, int] = {}
    for each in draws:
        odds = parse_odds(each.odds)
        drawn[each.source_id].append(Drawn(odds, each.operator_id, each.times))
        latest.update((pk, max(each.latest, latest.get(pk, 0))) for pk in odds)
    found = {source_id: judge(draws) for source_id, draws in drawn.items()}
    taking_part = {each.operator_id for fairness in found.values() for each in fairness.operators}
    names = _names({pk: latest[pk] for pk in taking_part})
    return {
        source_id: Judged(
            fairness, {each.operator_id: names[each.operator_id] for each in fairness.operators}
        )
        for source_id, fairness in found.items()
    }


def _names(latest: dict[int, int]) -> dict[int, str]:
    """The operators' names, by id; of those who have been deleted, their last ones on record.

    `latest` has for each the id of the latest record where he or she is a candidate.
    """
    names = dict(Operator.objects.filter(pk__in=latest).values_list("pk", "name"))
    deleted = {record_id for pk, record_id in latest.items() if pk not in names}
    records = DecisionRecord.objects.filter(pk__in=deleted).order_by("pk")
    on_record = {
        each["operator_id"]: each["operator_name"]
        for candidates in records.values_list("candidates", flat=True)
        for each in candidates
    }
    return on_record | names


def recently_judged(
    sources: Collection[int], *, now: datetime
) -> tuple[dict[int, tuple[Judged, datetime]], bool]:
    """The latest draws of each source, MOST_DRAWS of the last week at most, and as of when; is
    that all of it as of now?

    From the cache; only AT_ONCE of the sources that are not there, or that were judged longest
    ago, are judged here, so that whoever asks does not wait for long. What is not there at all
    has not been judged yet.
    """
    keys = {pk: f"stats.fairness.{pk}" for pk in sources}
    cached = cache.get_many(keys.values())
    known = {pk: cached[key] for pk, key in keys.items() if key in cached}
    due = [pk for pk in sources if pk not in known]
    stale = [pk for pk in known if known[pk][1] <= now - FRESH]
    due += sorted(stale, key=lambda pk: known[pk][1])
    if due:
        found = judged(draws_among(_recent(due[:AT_ONCE], now)))
        fresh = {pk: (found.get(pk, NO_DRAWS), now) for pk in due[:AT_ONCE]}
        cache.set_many({keys[pk]: each for pk, each in fresh.items()}, CACHE_SECONDS)
        known |= fresh
    return known, len(due) <= AT_ONCE


def _recent(sources: Collection[int], now: datetime) -> QuerySet[DecisionRecord]:
    """The decisions since the MOST_DRAWS-th latest draw of each source, or since a week ago."""
    since = (now - WINDOW).replace(minute=0, second=0, microsecond=0)
    draws = DecisionRecord.objects.filter(source=OuterRef("pk"), created_at__gte=since)
    first = draws.exclude(odds="").order_by("-created_at").values("created_at")
    rows = Source.objects.filter(pk__in=sources).order_by().values_list("pk")
    starts = rows.annotate(first=Subquery(first[MOST_DRAWS - 1 : MOST_DRAWS]))
    spans = [Q(source=pk, created_at__gte=start or since) for pk, start in starts]
    return DecisionRecord.objects.filter(reduce(or_, spans, Q(pk__in=[])))
