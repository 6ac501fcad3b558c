"""What was measured, for people and for programs."""

import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from statistics import median
from typing import Any

import django
from django.db import connection
from django.utils import timezone

HEAD = (
    "     count      /s      p50      p95      p99  app ms   db ms  queries  statuses         what"
)


@dataclass(frozen=True, slots=True)
class Row:
    """Requests of one kind. Times are in milliseconds, processor times those of one request;
    None: could not be told. `statuses`: how many got which.
    """

    name: str
    count: int
    per_second: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    app_cpu_ms: float | None = None
    db_cpu_ms: float | None = None
    queries: float | None = None
    statuses: dict[str, int] = field(default_factory=dict)

    def as_line(self) -> str:
        statuses = " ".join(f"{each}:{count}" for each, count in self.statuses.items())
        return (
            f"{self.count:>10}{shown(self.per_second, 8)}{shown(self.p50_ms, 9, 2)}"
            f"{shown(self.p95_ms, 9, 2)}{shown(self.p99_ms, 9, 2)}{shown(self.app_cpu_ms, 8, 2)}"
            f"{shown(self.db_cpu_ms, 8, 2)}{shown(self.queries, 9)}  {statuses:<16} {self.name}"
        )


def row(
    name: str,
    times: Sequence[float],
    *,
    seconds: float,
    app_cpu: float | None = None,
    db_cpu: float | None = None,
    queries: float | None = None,
    statuses: Mapping[str, int],
) -> Row:
    """Of the times in milliseconds of all requests, and processor seconds of all of them."""
    count = len(times)
    return Row(
        name,
        count,
        count / seconds if seconds else None,
        quantile(times, 0.5),
        quantile(times, 0.95),
        quantile(times, 0.99),
        _each(app_cpu, count),
        _each(db_cpu, count),
        queries,
        dict(statuses),
    )


def median_of(name: str, rows: Sequence[Row]) -> Row:
    """The median of each figure, and all requests and statuses together."""

    def of(figure: Callable[[Row], float | None]) -> float | None:
        known = [each for each in map(figure, rows) if each is not None]
        return median(known) if known else None

    return Row(
        name,
        sum(each.count for each in rows),
        of(lambda row: row.per_second),
        of(lambda row: row.p50_ms),
        of(lambda row: row.p95_ms),
        of(lambda row: row.p99_ms),
        of(lambda row: row.app_cpu_ms),
        of(lambda row: row.db_cpu_ms),
        of(lambda row: row.queries),
        dict(sum((Counter(each.statuses) for each in rows), Counter[str]())),
    )


def quantile(values: Sequence[float], part: float) -> float | None:
    """The value that this part of all does not exceed; None of nothing."""
    ranked = sorted(values)
    return ranked[max(0, ceil(part * len(ranked)) - 1)] if ranked else None


def as_json(what: str, options: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """With what it was measured on, so that a later one can be held against it."""
    return json.dumps(
        {
            "benchmark": what,
            "at": timezone.now().isoformat(timespec="seconds"),
            "options": dict(options),
            "machine": {
                "processors": os.cpu_count(),
                "python": platform.python_version(),
                "django": django.get_version(),
                "database": f"{connection.vendor} {_version()}",
            },
            **found,
        },
        indent=2,
        ensure_ascii=False,
        default=asdict,
    )


def _version() -> str:
    return ".".join(map(str, connection.get_database_version()))


def _each(seconds: float | None, count: int) -> float | None:
    return None if seconds is None or not count else 1000 * seconds / count


def shown(value: float | None, width: int, digits: int = 1) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:>{width}.{digits}f}"
