"""What a process counts for `/metrics`, which tells the sum of all processes of the service.

docs/metrics.md describes each.
"""

import os
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    disable_created_metrics,
)
from prometheus_client.multiprocess import MultiProcessCollector

# When a counter was made: several processes together cannot tell it.
disable_created_metrics()

# Seconds.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
DATABASE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

COUNTED = CollectorRegistry()
REQUESTS = Counter(
    "crm_requests_total",
    "Requests answered.",
    ["method", "route", "status"],
    registry=COUNTED,
)
REQUEST_SECONDS = Histogram(
    "crm_request_seconds",
    "Time from the arrival of a request to its answer, in seconds.",
    ["method", "route"],
    buckets=REQUEST_BUCKETS,
    registry=COUNTED,
)
DATABASE_SECONDS = Histogram(
    "crm_database_seconds",
    "Time that the statements of a request took, in seconds.",
    ["route"],
    buckets=DATABASE_BUCKETS,
    registry=COUNTED,
)
DECISIONS = Counter(
    "crm_decisions_total",
    "Decisions about who answers a contact, once they were committed.",
    ["source", "outcome"],
    registry=COUNTED,
)


def observe_request(
    *, method: str, route: str, status: int, seconds: float, database_seconds: float
) -> None:
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    DATABASE_SECONDS.labels(route).observe(database_seconds)


def counted() -> Iterable[Metric]:
    """All of the above: of every worker, where gunicorn.conf.py has given them a folder to share,
    else of this process.
    """
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return MultiProcessCollector(None).collect()
    return COUNTED.collect()
