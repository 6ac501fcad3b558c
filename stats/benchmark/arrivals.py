"""Contacts that come in at the service, alone or with everything else that goes on."""

import json
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from subprocess import PIPE  # nosec B404 - a constant
from typing import Any

from access.models import ApiKey
from access.services import create_key
from contacts.invariants import check_all
from contacts.models import WAITING, Contact
from leads.models import Lead
from operators.models import MOST_LIMIT, Operator
from sources.models import Source
from stats.benchmark.children import child
from stats.benchmark.processes import cpu_seconds, database_server, memory_megabytes
from stats.benchmark.progress import Progress, silent
from stats.benchmark.report import Row, row
from stats.benchmark.service import HEADERS, Service, ServiceError

WARM_SECONDS = 2.0
NAMES = {
    "post": "POST /contacts",
    "close": "PATCH /contacts/{id}/status",
    "list": "GET /contacts",
    "stats": "GET /stats",
}
RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`created` and `waiting`: contacts that are there since; `broken`: invariants that do not
    hold. `memory_mb`: of each worker, after it has warmed up and after each tenth; None: it was
    not there then.
    """

    rows: list[Row]
    created: int
    answered_201: int
    waiting: int
    broken: list[str]
    warnings: dict[str, int]
    memory_mb: list[list[float | None]]


def make_room() -> None:
    """Let the operators take as many as can be: what is measured is not to end in the queue."""
    Operator.objects.update(max_active_contacts=MOST_LIMIT)


def measure(
    database_url: str,
    kind: str,
    *,
    connections: int,
    sources: int,
    seconds: float,
    requests: int | None = None,
    seed: int = 1,
    progress: Progress = silent,
) -> Arrivals:
    """Load the service with `intake` or `mix`, after it has warmed up, on the database that is in
    use and was filled: all at those so many first sources, for so long or, if told, with so many
    requests.
    """
    plan = {
        "kind": kind,
        "connections": connections,
        "sources": list(Source.objects.order_by("pk").values_list("code", flat=True)[:sources]),
        "leads": Lead.objects.count(),
        "headers": HEADERS | {"Authorization": f"Bearer {_key()}", "Accept": "application/json"},
        "seed": seed,
    }
    newest = Contact.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with Service(database_url) as service:
        plan["port"] = service.port
        warmed = _load(plan | {"seconds": min(WARM_SECONDS, seconds), "requests": None})
        database, server = database_server(), service.process.pid
        mark, memory = service.mark(), [memory_megabytes(server)]

        def at_tenth(done: int) -> None:
            memory.append(memory_megabytes(server))
            progress(kind, done, 10)

        spent = cpu_seconds(server), cpu_seconds(database)
        loaded = _load(plan | {"seconds": seconds, "requests": requests}, at_tenth)
        app, db = (
            None if was is None or now is None else now - was
            for was, now in zip(spent, (cpu_seconds(server), cpu_seconds(database)), strict=True)
        )
        found = Arrivals(
            rows=_rows(loaded, app=app, db=db, queries=service.queries_since(mark)),
            created=Contact.objects.filter(pk__gt=newest).count(),
            answered_201=sum(each["statuses"]["post"].get("201", 0) for each in (warmed, loaded)),
            waiting=Contact.objects.filter(WAITING, pk__gt=newest).count(),
            broken=[],
            warnings=service.warnings_since(mark),
            memory_mb=_of_each(memory),
        )
    found.broken.extend(each.invariant.name for each in check_all(records=RECORDS) if each.breaches)
    return found


def _key() -> str:
    name = f"benchmark {secrets.token_hex(4)}"
    return create_key(ApiKey(name=name, scope=ApiKey.Scope.MANAGE))


def _load(
    plan: dict[str, Any], at_tenth: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    options: dict[str, Any] = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "text": True}
    found: dict[str, Any] = {}
    with child(["-m", "stats.benchmark.load"], **options) as started:
        process: Any = started  # its pipes are there
        process.stdin.write(json.dumps(plan | {"mark": secrets.token_hex(4)}))
        process.stdin.close()
        for line in process.stdout:
            found = json.loads(line)
            if "tenths" in found:
                at_tenth(found["tenths"])
        error = process.stderr.read()
        if process.wait():
            raise ServiceError(f"The load failed: {error.strip()[-1000:]}")
    return found


def _of_each(memory: list[dict[int, float]]) -> list[list[float | None]]:
    """Of each process from the first moment to the last, those of the largest first."""
    pids = {pid for each in memory for pid in each}
    held = [[each.get(pid) for each in memory] for pid in pids]
    return sorted(held, key=lambda one: max(each or 0.0 for each in one), reverse=True)


def _rows(
    loaded: dict[str, Any], *, app: float | None, db: float | None, queries: float | None
) -> list[Row]:
    """One of each kind and, where there are several, one of all: only of all is known what they
    cost.
    """
    times, statuses, seconds = loaded["times"], loaded["statuses"], loaded["seconds"]
    rows = [
        row(NAMES.get(kind, kind), times.get(kind, []), seconds=seconds, statuses=statuses[kind])
        for kind in sorted(statuses, key=[*NAMES, "connect"].index)
    ]
    whole = row(
        "all" if len(rows) > 1 else rows[0].name,
        [each for some in times.values() for each in some],
        seconds=seconds,
        app_cpu=app,
        db_cpu=db,
        queries=queries,
        statuses=sum((Counter(each) for each in statuses.values()), Counter()),
    )
    return [whole] if len(rows) == 1 else [*rows, whole]
