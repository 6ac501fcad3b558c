import pytest

from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory

pytestmark = pytest.mark.django_db


def names(response):
    return [row["name"] for row in response.json()["results"]]


def test_an_operator_is_made_with_defaults_and_a_trimmed_name(api):
    response = api.post("/operators", {"name": "  Анна  "})
    assert response.status_code == 201
    assert response.json() | {"id": 0, "created_at": ""} == {
        "id": 0,
        "name": "Анна",
        "is_active": True,
        "max_active_contacts": 10,
        "current_load": 0,
        "created_at": "",
        "email": "",
        "telegram_chat_id": None,
        "sources": [],
        "hours": {
            "time_zone": "Europe/Moscow",
            "on_shift": True,
            "shift_starts_at": None,
            "shift_ends_at": None,
            "shifts": [],
            "days_off": [],
        },
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", None),
        ("name", 5),
        ("name", "я" * 101),
        ("max_active_contacts", 0),
        ("max_active_contacts", 10_001),
        ("max_active_contacts", "5"),
        ("max_active_contacts", True),
        ("max_active_contacts", 1.5),
        ("is_active", "yes"),
        ("is_active", None),
        ("email", "anna"),
        ("email", 5),
        ("email", "a\0@firm.example"),
        ("telegram_chat_id", "42"),
        ("telegram_chat_id", 10**30),
    ],
)
def test_a_wrong_value_is_named(api, field, value):
    response = api.post("/operators", {"name": "Анна", field: value})
    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [field]


def test_a_change_touches_only_what_is_given(api):
    operator = OperatorFactory(name="Анна", max_active_contacts=3)
    response = api.patch(f"/operators/{operator.pk}", {"is_active": False, "current_load": 7})
    body = response.json()
    assert response.status_code == 200
    assert (body["name"], body["is_active"], body["max_active_contacts"]) == ("Анна", False, 3)
    assert body["current_load"] == 0


def test_a_limit_below_the_load_is_accepted_and_takes_nothing_away(api):
    operator = OperatorFactory()
    ContactFactory.create_batch(3, operator=operator)
    body = api.patch(f"/operators/{operator.pk}", {"max_active_contacts": 1}).json()
    assert (body["max_active_contacts"], body["current_load"]) == (1, 3)


def test_one_operator_tells_its_sources(api):
    assignment = AssignmentFactory(weight=3)
    body = api.get(f"/operators/{assignment.operator_id}").json()
    assert body["sources"] == [
        {
            "source_id": assignment.source_id,
            "source_code": assignment.source.code,
            "source_name": assignment.source.name,
            "weight": 3,
        }
    ]


def test_deleting_hands_out_the_open_contacts(api):
    leaving, staying = OperatorFactory.create_batch(2)
    for operator in (leaving, staying):
        source = AssignmentFactory(operator=operator).source
    AssignmentFactory(operator=leaving, source=source)
    contact = ContactFactory(operator=leaving, source=source)
    assert api.delete(f"/operators/{leaving.pk}").status_code == 204
    assert Contact.objects.get(pk=contact.pk).operator == staying
    assert api.get(f"/operators/{leaving.pk}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("is_active=true", ["Анна", "Щукина"]),
        ("is_active=False", ["Борис"]),
        ("has_capacity=false", ["Анна"]),
        ("has_capacity=1", ["Щукина", "Борис"]),
        ("search=щук", ["Щукина"]),
        ("search=АНН", ["Анна"]),
        ("search=%25", []),
        ("source=vk", ["Щукина"]),
        ("source=VK", []),
        ("ordering=-current_load", ["Анна", "Щукина", "Борис"]),
        ("ordering=name", ["Анна", "Борис", "Щукина"]),
        ("ordering=-created_at", ["Борис", "Щукина", "Анна"]),
    ],
)
def test_the_list_is_filtered_and_ordered(api, query, found):
    full = OperatorFactory(name="Анна", max_active_contacts=1)
    AssignmentFactory(operator=OperatorFactory(name="Щукина"), source__code="vk")
    OperatorFactory(name="Борис", is_active=False)
    ContactFactory(operator=full)
    assert names(api.get(f"/operators?{query}")) == found


def test_pages_are_numbered_and_counted(api):
    OperatorFactory.create_batch(5)
    page = api.get("/operators?page_size=2&page=2").json()
    assert (page["count"], len(page["results"])) == (5, 2)
    assert page["next"].endswith("/operators?page=3&page_size=2")
    assert page["previous"].endswith("/operators?page_size=2")


@pytest.mark.parametrize("rows", [1, 50])
def test_a_list_takes_two_queries(api, rows, django_assert_num_queries):
    for operator in OperatorFactory.create_batch(rows):
        ContactFactory(operator=operator)
    with django_assert_num_queries(2):
        assert len(api.get("/operators").json()["results"]) == rows


def test_a_slash_at_the_end_makes_no_difference(api):
    assert api.get("/operators/").json() == api.get("/operators").json()


class TestRelease:
    def test_an_active_operator_is_a_conflict_unless_deactivated_at_once(self, api):
        assignment = AssignmentFactory()
        ContactFactory(source=assignment.source, operator=assignment.operator)
        path = f"/operators/{assignment.operator_id}/release"
        refused = api.post(path)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (
            409,
            "operator_active",
        )
        released = api.post(path, {"deactivate": True})
        assert released.status_code == 200
        assert released.json() == {"released": 1, "reassigned": 0, "waiting": 1}
        assert api.get(f"/operators/{assignment.operator_id}").json()["is_active"] is False

    def test_nothing_open_is_nothing_to_release(self, api):
        operator = OperatorFactory(is_active=False)
        released = api.post(f"/operators/{operator.pk}/release").json()
        assert released == {"released": 0, "reassigned": 0, "waiting": 0}

    def test_who_does_not_exist_is_not_found(self, api):
        assert api.post("/operators/1000000/release").status_code == 404

    def test_a_wrong_value_is_named(self, api):
        operator = OperatorFactory()
        answer = api.post(f"/operators/{operator.pk}/release", {"deactivate": "yes"})
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "deactivate")


def test_where_an_operator_is_told_of_contacts_is_set_and_taken_back(api):
    pk = OperatorFactory().pk
    told = {"email": "anna@firm.example", "telegram_chat_id": -1001234567890}
    changed = api.patch(f"/operators/{pk}", told).json()
    assert {name: changed[name] for name in told} == told
    nowhere = {"email": "", "telegram_chat_id": None}
    changed = api.patch(f"/operators/{pk}", nowhere).json()
    assert {name: changed[name] for name in nowhere} == nowhere
