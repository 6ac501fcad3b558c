import pytest

from contacts.tests.factories import ContactFactory
from operators.tests.factories import OperatorFactory
from sources.models import Assignment, Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def test_a_source_is_made(api):
    response = api.post("/sources", {"name": "Телеграм", "code": "tg_main", "description": None})
    assert response.status_code == 201
    assert response.json() | {"id": 0, "created_at": ""} == {
        "id": 0,
        "name": "Телеграм",
        "code": "tg_main",
        "description": "",
        "is_active": True,
        "auto_assign_waiting": True,
        "sticky": False,
        "strategy": "weighted_random",
        "response_minutes": None,
        "response_handovers": 2,
        "kind": "api",
        "reuse_open_contact": False,
        "created_at": "",
        "channel": None,
        "operators": [],
    }


@pytest.mark.parametrize("code", ["", "a b", "код", "a\n", "a" * 51, "a/b", None, 7])
def test_a_code_of_another_form_is_refused(api, code):
    response = api.post("/sources", {"name": "a", "code": code})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "code")


def test_a_second_source_of_a_code_is_refused_and_case_counts(api):
    SourceFactory(code="vk")
    second = api.post("/sources", {"name": "a", "code": "vk"})
    assert (second.status_code, second.json()["errors"][0]["code"]) == (400, "unique")
    assert api.post("/sources", {"name": "a", "code": "VK"}).status_code == 201


def test_a_code_taken_meanwhile_is_refused_the_same(api, monkeypatch):
    SourceFactory(code="vk")
    monkeypatch.setattr("rest_framework.validators.UniqueValidator.__call__", lambda *args: None)
    second = api.post("/sources", {"name": "a", "code": "vk"})
    assert (second.status_code, second.json()["errors"][0]["attr"]) == (400, "code")


def test_a_source_tells_the_chance_of_each_operator_now(api):
    source = SourceFactory()
    for weight, change in [(3, {}), (1, {}), (5, {"is_active": False})]:
        AssignmentFactory(source=source, weight=weight, operator=OperatorFactory(**change))
    full = AssignmentFactory(
        source=source, weight=9, operator=OperatorFactory(max_active_contacts=1)
    )
    ContactFactory(operator=full.operator)
    operators = api.get(f"/sources/{source.pk}").json()["operators"]
    assert [each["share"] for each in operators] == [0.75, 0.25, 0, 0]
    assert [each["current_load"] for each in operators] == [0, 0, 0, 1]


def test_an_inactive_source_gives_nobody_a_chance(api):
    source = AssignmentFactory(source__is_active=False).source
    (operator,) = api.get(f"/sources/{source.pk}").json()["operators"]
    assert operator["share"] == 0


def test_a_source_is_changed_and_found(api):
    source = SourceFactory(name="Телеграм")
    api.patch(f"/sources/{source.pk}", {"is_active": False})
    assert api.get("/sources?is_active=false&search=ТЕЛЕ").json()["count"] == 1
    assert api.get("/sources?is_active=true").json()["count"] == 0


def test_a_source_without_contacts_is_deleted_with_its_assignments(api):
    assignment = AssignmentFactory()
    assert api.delete(f"/sources/{assignment.source_id}").status_code == 204
    assert not Assignment.objects.exists()


def test_a_source_with_contacts_is_a_conflict_that_says_how_many(api):
    source = SourceFactory()
    ContactFactory.create_batch(2, source=source)
    response = api.delete(f"/sources/{source.pk}", headers={"accept-language": "en"})
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (409, "source_in_use")
    assert "2 contacts" in error["detail"]
    assert Source.objects.exists()


def test_an_assignment_is_set_once_and_then_changed(api):
    pair = {"operator_id": OperatorFactory().pk, "source_id": SourceFactory().pk}
    first = api.post("/assignments", pair)
    second = api.post("/assignments", {**pair, "weight": 7})
    assert (first.status_code, first.json()) == (201, {**pair, "weight": 1})
    assert (second.status_code, second.json()) == (200, {**pair, "weight": 7})
    assert Assignment.objects.count() == 1


@pytest.mark.parametrize("weight", [0, 1001, "3", None, 1.5, True])
def test_a_wrong_weight_is_refused(api, weight):
    pair = {"operator_id": OperatorFactory().pk, "source_id": SourceFactory().pk}
    response = api.post("/assignments", {**pair, "weight": weight})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "weight")


@pytest.mark.parametrize("missing", ["operator_id", "source_id"])
def test_an_assignment_of_nobody_or_nothing_names_it(api, missing):
    pair = {"operator_id": OperatorFactory().pk, "source_id": SourceFactory().pk}
    response = api.post("/assignments", {**pair, missing: 10**9})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, missing)


def test_a_weight_is_patched_and_an_assignment_deleted(api):
    assignment = AssignmentFactory()
    contact = ContactFactory(source=assignment.source, operator=assignment.operator)
    path = f"/assignments/{assignment.operator_id}/{assignment.source_id}"
    assert api.patch(path, {"weight": 5}).json()["weight"] == 5
    assert api.patch(path, {}).json()["weight"] == 5
    assert api.delete(path).status_code == 204
    assert api.patch(path, {"weight": 5}).status_code == 404
    contact.refresh_from_db()
    assert contact.operator == assignment.operator


def test_assignments_are_filtered(api):
    first, _second = AssignmentFactory.create_batch(2)
    for query in (f"operator_id={first.operator_id}", f"source_id={first.source_id}"):
        assert api.get(f"/assignments?{query}").json()["count"] == 1


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("path", ["/sources", "/assignments"])
def test_a_list_takes_two_queries(api, path, rows, django_assert_num_queries):
    AssignmentFactory.create_batch(rows)
    with django_assert_num_queries(2):
        assert len(api.get(path).json()["results"]) == rows


@pytest.mark.parametrize("rows", [1, 20])
def test_a_source_takes_two_queries(api, rows, django_assert_num_queries):
    source = SourceFactory()
    AssignmentFactory.create_batch(rows, source=source)
    with django_assert_num_queries(2):
        api.get(f"/sources/{source.pk}")
