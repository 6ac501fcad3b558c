"""Contacts that come in at the service, alone or with everything else that goes on."""

import json
import secrets
from collections import Counter
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
    hold. Megabytes are those of the largest worker, before and after.
    """

    rows: list[Row]
    created: int
    answered_201: int
    waiting: int
    broken: list[str]
    warnings: dict[str, int]
    worker_megabytes: tuple[float | None, float | None]


def make_room() -> None:
    """Let the operators take as many as can be: what is measured is not to end in the queue."""
    Operator.objects.update(max_active_contacts=MOST_LIMIT)


def measure(
    database_url: str, kind: str, *, connections: int, seconds: float, sources: int, seed: int = 1
) -> Arrivals:
    """Load the service with `intake` or `mix`, after it has warmed up, on the database that is in
    use and was filled: all at those so many first sources.
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
        warmed = _load(plan | {"seconds": min(WARM_SECONDS, seconds)})
        database, server = database_server(), service.process.pid
        mark, memory = service.mark(), memory_megabytes(server)
        spent = cpu_seconds(server), cpu_seconds(database)
        loaded = _load(plan | {"seconds": seconds})
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
            worker_megabytes=(memory, memory_megabytes(server)),
        )
    found.broken.extend(each.invariant.name for each in check_all(records=RECORDS) if each.breaches)
    return found


def _key() -> str:
    name = f"benchmark {secrets.token_hex(4)}"
    return create_key(ApiKey(name=name, scope=ApiKey.Scope.MANAGE))


def _load(plan: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "text": True}
    with child(["-m", "stats.benchmark.load"], **options) as process:
        out, error = process.communicate(json.dumps(plan | {"mark": secrets.token_hex(4)}))
    if process.returncode:
        raise ServiceError(f"The load failed: {error.strip()[-1000:]}")
    found: dict[str, Any] = json.loads(out)
    return found


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
