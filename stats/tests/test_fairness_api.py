import random
from datetime import UTC, datetime, timedelta

import pytest

from contacts.models import DecisionRecord
from operators.models import Operator
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def serve(weights, **fields):
    """A source, and its operators at these weights, with room for everybody."""
    source = SourceFactory(**fields)
    assignments = [
        AssignmentFactory(source=source, weight=weight, operator__max_active_contacts=10_000)
        for weight in weights
    ]
    return source, [each.operator for each in assignments]


def arrive(api, source, count):
    # Here and not in a fixture: pytest-randomly seeds anew when the test itself begins.
    random.seed(20261123)
    contacts = [
        {"lead_external_id": f"lead {number}", "source_id": source.pk} for number in range(count)
    ]
    response = api.post("/contacts/bulk", {"contacts": contacts}, format="json")
    return [result["contact"] for result in response.json()["results"]]


def fairness_of(api, source, query="", language="en"):
    response = api.get(f"/stats/sources/{source.pk}?{query}", headers={"accept-language": language})
    assert response.status_code == 200
    return response.json()["fairness"]


@pytest.fixture
def rigged(monkeypatch):
    """Every draw falls on the first candidate."""
    monkeypatch.setattr(random, "random", lambda: 0.0)


def test_fair_draws_are_within_chance(api):
    source, (heavy, light) = serve([3, 1])
    mine = sum(each["operator_id"] == heavy.pk for each in arrive(api, source, 200))
    fairness = fairness_of(api, source)
    first, second = fairness.pop("operators")
    assert first == {
        "operator_id": heavy.pk,
        "operator_name": heavy.name,
        "draws": 200,
        "actual": mine,
        "expected": 150,
        "z": pytest.approx((mine - 150) / 37.5**0.5),
        "verdict": "within_chance",
    }
    assert (second["operator_id"], second["actual"]) == (light.pk, 200 - mine)
    assert fairness.pop("p_value") > 0.05
    assert fairness == {
        "draws": 200,
        "chi_square": pytest.approx(first["z"] ** 2),
        "degrees_of_freedom": 1,
        "verdict": "within_chance",
        "explanation": (
            "The deviations are within chance. In 200 draws, chance alone moves an operator who"
            " is due half of them by up to ±14 contacts, or ±6.9 percentage points (95 % of"
            " cases)."
        ),
    }
    assert "±6,9" in fairness_of(api, source, language="ru")["explanation"]


@pytest.mark.usefixtures("rigged")
def test_a_rigged_draw_is_suspicious(api):
    source, _ = serve([1, 1, 1])
    arrive(api, source, 30)
    fairness = fairness_of(api, source)
    assert fairness["verdict"] == "suspicious"
    assert fairness["p_value"] < 1e-9
    assert {each["verdict"] for each in fairness["operators"]} == {"suspicious"}
    assert "fewer than 1 of 1,000 cases" in fairness["explanation"]


@pytest.mark.usefixtures("rigged")
def test_too_few_draws_are_not_judged(api):
    source, _ = serve([1, 1])
    arrive(api, source, 29)
    fairness = fairness_of(api, source)
    assert fairness["verdict"] == "too_few_draws"
    assert [each["verdict"] for each in fairness["operators"]] == ["too_few_draws"] * 2
    assert fairness["explanation"].startswith("29 draws so far: too few to judge by")


def test_limits_bend_the_shares_and_that_is_not_suspicious(api):
    source, (heavy, *_) = serve([10, 1, 1])
    Operator.objects.filter(pk=heavy.pk).update(max_active_contacts=20)
    arrive(api, source, 200)
    body = api.get(f"/stats/sources/{source.pk}").json()
    share = body["operators"][0]
    assert share["expected_share"] - share["actual_share"] > 0.7
    assert body["fairness"]["verdict"] == "within_chance"
    assert abs(body["fairness"]["operators"][0]["z"]) < 3
    assert body["fairness"]["operators"][0]["draws"] < body["fairness"]["draws"] == 200


def test_what_a_person_decides_does_not_count(api):
    source, (one, other) = serve([1, 1])
    contacts = arrive(api, source, 40)
    before = fairness_of(api, source)
    for contact in contacts:
        if contact["operator_id"] == one.pk:
            path = f"/contacts/{contact['id']}/reassign"
            assert api.post(path, {"operator_id": other.pk}).json()["reassigned"]
    assert fairness_of(api, source) == before


@pytest.mark.parametrize("strategy", ["least_loaded", "smooth_weighted"])
def test_what_is_not_drawn_does_not_count(api, strategy):
    source, _ = serve([1, 1], strategy=strategy)
    arrive(api, source, 5)
    assert fairness_of(api, source) == {
        "draws": 0,
        "chi_square": None,
        "degrees_of_freedom": 0,
        "p_value": None,
        "verdict": "too_few_draws",
        "explanation": "0 draws so far: too few to judge by, at least 30 are needed.",
        "operators": [],
    }


def test_draws_of_another_source_and_with_one_candidate_do_not_count(api):
    source, _ = serve([1])
    arrive(api, source, 3)
    arrive(api, serve([1, 1])[0], 3)
    assert fairness_of(api, source)["draws"] == 0


@pytest.mark.parametrize(
    ("query", "draws"),
    [
        ("", 4),
        ("since=2026-11-02T10:59:59Z", 3),
        ("until=2026-11-02T11:59:59Z", 2),
        ("since=2026-11-02T10:00:00Z&until=2026-11-02T11:00:00Z", 1),
    ],
)
def test_a_period_narrows_the_draws(api, query, draws):
    source, _ = serve([1, 1])
    arrive(api, source, 4)
    # The draws, not the contacts, have to lie in the period.
    for number, record in enumerate(DecisionRecord.objects.order_by("pk")):
        record.created_at = datetime(2026, 11, 2, 9, tzinfo=UTC) + timedelta(hours=number)
        record.save()
    assert fairness_of(api, source, query)["draws"] == draws


@pytest.mark.usefixtures("rigged")
def test_operators_keep_their_latest_names_when_they_are_deleted(api):
    source, (lucky, unlucky, stays) = serve([1, 1, 1])
    arrive(api, source, 2)
    for operator in (lucky, unlucky):
        api.patch(f"/operators/{operator.pk}", {"name": f"{operator.name} (new)"})
    arrive(api, source, 2)
    api.patch(f"/operators/{stays.pk}", {"name": "Анна"})
    for operator in (lucky, unlucky):
        assert api.delete(f"/operators/{operator.pk}").status_code == 204
    named = {each["operator_id"]: each for each in fairness_of(api, source)["operators"]}
    assert named[lucky.pk]["operator_name"] == f"{lucky.name} (new)"
    assert named[unlucky.pk]["operator_name"] == f"{unlucky.name} (new)"
    assert named[stays.pk]["operator_name"] == "Анна"
    assert named[lucky.pk]["actual"] == 4


@pytest.mark.parametrize("rows", [2, 20])
def test_it_takes_a_fixed_number_of_queries(api, rows, django_assert_num_queries):
    source, (gone, *_) = serve([1] * rows)
    arrive(api, source, rows)
    api.delete(f"/operators/{gone.pk}")
    with django_assert_num_queries(9):
        api.get(f"/stats/sources/{source.pk}")
