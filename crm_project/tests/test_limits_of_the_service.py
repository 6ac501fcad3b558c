"""Limits hold over all workers of the running service together, however many ask at once."""

import urllib.error
import urllib.request
from collections import Counter

import psutil
import pytest

from crm_project.testing.asking import until
from crm_project.testing.service import Service
from crm_project.testing.threads import at_once

pytestmark = pytest.mark.once


@pytest.fixture
def service(tmp_path):
    service = Service(
        f"sqlite:///{tmp_path}/db.sqlite3",
        CRM_REQUESTS_PER_MINUTE_ADDRESS="200",
        CRM_COUNTERS_FILE=f"{tmp_path}/counters.sqlite3",
    )
    service.migrate()
    service.start()
    yield service
    service.kill()


def ask(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer
    except urllib.error.HTTPError as error:
        error.close()
        return error


def workers(service):
    return psutil.Process(service.process.pid).children()


def workers_that_answer(service):
    """Their clock has a thread of its own."""
    return sum(each.num_threads() > 1 for each in workers(service))


def workers_that_count(service):
    opened = [
        {file.path.rpartition("/")[2] for file in each.open_files()} for each in workers(service)
    ]
    return sum("counters.sqlite3" in each for each in opened)


def test_two_workers_answer_no_more_than_one_would(service):
    until(lambda: workers_that_answer(service) == 2, seconds=30)
    before = 0
    while workers_that_count(service) < 2:
        at_once([lambda: ask(f"{service.url}/operators")] * 8, 8)
        before += 8
        assert before < 150
    results, errors = at_once([lambda: ask(f"{service.url}/operators")] * 300, 16)
    assert errors == []
    statuses = Counter(each.status for each in results)
    assert statuses == {200: 200 - before, 429: 100 + before}
    left = [int(each.headers["RateLimit-Remaining"]) for each in results if each.status == 200]
    assert sorted(left) == list(range(200 - before))
    refused = [each for each in results if each.status == 429]
    assert all(1 <= int(each.headers["Retry-After"]) <= 60 for each in refused)
    assert ask(f"{service.url}/health").status == 200
