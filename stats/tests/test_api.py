from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from contacts.tests.factories import ContactFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def test_the_overview_counts_everything(api):
    operator = OperatorFactory(name="Анна", max_active_contacts=4)
    idle = OperatorFactory(is_active=False)
    source = SourceFactory()
    for fields in (
        {"operator": operator},
        {"operator": operator, "status": "in_progress"},
        {"operator": operator, "status": "closed"},
        {},
        {"operator": idle},
    ):
        ContactFactory(source=source, **fields)
    body = api.get("/stats").json()
    operators = body.pop("operators")
    assert body == {
        "total_operators": 2,
        "active_operators": 1,
        "total_sources": 1,
        "total_leads": 5,
        "total_contacts": 5,
        "active_contacts": 4,
        "new_contacts": 3,
        "in_progress_contacts": 1,
        "closed_contacts": 1,
        "waiting_contacts": 1,
        "waiting_by_cause": {
            "no_operators": 1,
            "all_inactive": 0,
            "off_hours": 0,
            "all_full": 0,
            "switched_off": 0,
            "in_turn": 0,
        },
        "total_capacity": 4,
        "used_capacity": 2,
    }
    assert operators[0] == {
        "operator_id": operator.pk,
        "operator_name": "Анна",
        "is_active": True,
        "current_load": 2,
        "max_active_contacts": 4,
        "load_percentage": 50.0,
    }


def test_the_overview_tells_why_contacts_wait(api):
    inactive = AssignmentFactory(operator__is_active=False).source
    full = AssignmentFactory(operator__max_active_contacts=1)
    ContactFactory(source=full.source, operator=full.operator)
    off = AssignmentFactory(source__auto_assign_waiting=False).source
    in_turn = AssignmentFactory().source
    tomorrow = timezone.now() + timedelta(days=1)
    night = AssignmentFactory(operator__shift_starts_at=tomorrow).source
    waiting = {SourceFactory(): 5, inactive: 4, full.source: 3, off: 2, in_turn: 1, night: 6}
    for source, count in waiting.items():
        ContactFactory.create_batch(count, source=source)
    assert api.get("/stats").json()["waiting_by_cause"] == {
        "no_operators": 5,
        "all_inactive": 4,
        "off_hours": 6,
        "all_full": 3,
        "switched_off": 2,
        "in_turn": 1,
    }


def test_a_source_tells_how_its_operators_shared(api):
    source = SourceFactory(code="vk", name="VK")
    heavy = AssignmentFactory(source=source, weight=3).operator
    AssignmentFactory(source=source, weight=1)
    gone = OperatorFactory()
    ContactFactory(source=source, operator=heavy)
    ContactFactory(source=source, operator=heavy, status="closed")
    ContactFactory(source=source, operator=gone, status="closed")
    ContactFactory(source=source)
    ContactFactory(operator=heavy)
    body = api.get(f"/stats/sources/{source.pk}").json()
    first, second, third = body.pop("operators")
    assert body.pop("fairness")["draws"] == 0
    assert body == {
        "source_id": source.pk,
        "source_code": "vk",
        "source_name": "VK",
        "total_contacts": 4,
        "active_contacts": 2,
        "closed_contacts": 2,
        "waiting_contacts": 1,
    }
    assert first == {
        "operator_id": heavy.pk,
        "operator_name": heavy.name,
        "weight": 3,
        "expected_share": 0.75,
        "actual_share": pytest.approx(2 / 3),
        "total_contacts": 2,
        "active_contacts": 1,
        "closed_contacts": 1,
        "load_percentage": 50.0,
    }
    assert (second["expected_share"], second["actual_share"]) == (0.25, 0)
    assert (third["operator_id"], third["weight"], third["expected_share"]) == (gone.pk, None, None)


def test_a_source_without_contacts_has_no_actual_shares(api):
    assignment = AssignmentFactory()
    (row,) = api.get(f"/stats/sources/{assignment.source_id}").json()["operators"]
    assert (row["expected_share"], row["actual_share"], row["load_percentage"]) == (1, None, 0)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("since=2026-11-02T10:59:59Z", 2),
        ("since=2026-11-02T13:30:00%2B03:00", 2),
        ("until=2026-11-02T10:59:59Z", 1),
        ("since=2026-11-02T10:00:00Z&until=2026-11-02T11:00:00Z", 1),
    ],
)
def test_a_period_is_half_open_and_rounded_down_to_the_hour(api, query, count):
    source = SourceFactory()
    for day, hour, minute in ((1, 0, 0), (2, 10, 0), (2, 11, 0)):
        moment = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
        ContactFactory(source=source, created_at=moment)
    body = api.get(f"/stats/sources/{source.pk}?{query}").json()
    assert body["total_contacts"] == count


@pytest.mark.parametrize("rows", [1, 20])
def test_they_take_a_fixed_number_of_queries(api, rows, django_assert_num_queries):
    source = SourceFactory()
    for assignment in AssignmentFactory.create_batch(rows, source=source):
        ContactFactory(source=source, operator=assignment.operator)
    ContactFactory.create_batch(rows, source=source)
    with django_assert_num_queries(10):
        api.get("/stats")
    with django_assert_num_queries(7):
        api.get(f"/stats/sources/{source.pk}")
