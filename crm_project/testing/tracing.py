"""Measures which lines of services and of the choice the tests about them reach.

`pytest -p crm_project.testing.tracing` traces those tests, as all others take 1.7 times as long
when they are traced; each process leaves a `.coverage.*` for `coverage combine`.
"""

from collections.abc import Iterator
from fnmatch import fnmatch

import coverage
import pytest

TRACED = (
    *("operators/tests/test_api.py", "sources/tests/test_api.py", "*/tests/test_services.py"),
    *("access/tests/test_keys.py", "access/tests/test_command.py", "access/tests/test_intake.py"),
    *("sources/tests/test_channel_api.py", "leads/tests/test_matching.py"),
    *("contacts/events/tests/test_api.py", "contacts/events/tests/test_admin.py"),
    *("contacts/events/tests/test_delivering.py", "contacts/events/tests/test_notices.py"),
    *("crm_project/audit/tests/test_changes.py", "crm_project/tests/test_careful_admin.py"),
    *(
        f"contacts/tests/test_{about}.py"
        for about in (
            *("distribution", "direct", "rules", "staffing", "api", "hours", "timeouts"),
            *("merging", "desk", "erasing"),
        )
    ),
)
# What only two at once come by.
TRACED_ON_POSTGRESQL = (
    *("contacts/tests/test_concurrency.py", "contacts/tests/test_direct.py"),
    *("contacts/tests/test_merging.py", "contacts/tests/test_erasing_races.py"),
    *("leads/tests/test_services.py", "leads/tests/test_matching_races.py"),
)

tracer = coverage.Coverage(data_suffix=True)
# From here on, for what runs when a module is imported.
tracer.start()


def pytest_collection_finish() -> None:
    tracer.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    traced = is_traced(item)
    if traced:
        tracer.start()
    try:
        return (yield)
    finally:
        if traced:
            tracer.stop()


def pytest_sessionfinish() -> None:
    tracer.stop()
    tracer.save()


def is_traced(item: pytest.Item) -> bool:
    from django.db import connection

    path = item.nodeid.partition("::")[0]
    if connection.vendor == "postgresql":
        return "postgres" in item.keywords and path in TRACED_ON_POSTGRESQL
    return any(fnmatch(path, pattern) for pattern in TRACED)
