import pytest

from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def ids(response):
    return [row["id"] for row in response.json()["results"]]


def test_a_contact_reaches_an_operator_and_says_why(api):
    source = AssignmentFactory(source__code="tg", weight=3, operator__name="Анна").source
    AssignmentFactory(source=source, operator__name="Борис", operator__is_active=False)
    body = {
        "lead_external_id": " tg:1 ",
        "source_code": "tg",
        "message": "  Привет\n",
        "lead_name": " Мария ",
        "lead_phone": "+7",
    }
    response = api.post("/contacts", body)
    contact = response.json()
    assert response.status_code == 201
    assert contact["message"] == "  Привет\n"
    assert contact["lead"] | {"id": 0, "created_at": ""} == {
        "id": 0,
        "external_id": " tg:1 ",
        "name": "Мария",
        "phone": "+7",
        "email": "",
        "created_at": "",
    }
    assert contact["operator_name"] == "Анна"
    assert contact["status"] == "new"
    assert contact["assigned_at"].endswith("Z")
    assert contact["closed_at"] is None
    assert "Анна" in contact["distribution_info"]
    distribution = contact["distribution"]
    assert 0 <= distribution.pop("draw") < 1
    (candidate,) = distribution.pop("candidates")
    assert (candidate["weight"], candidate["share"], candidate["current_load"]) == (3, 1, 0)
    (skipped,) = distribution.pop("skipped")
    assert (skipped["operator_name"], skipped["reason"]) == ("Борис", "inactive")
    assert distribution == {"outcome": "assigned", "strategy": "weighted_random"}


def test_what_is_too_long_is_told_to_each_in_the_language_asked_for(api):
    source = SourceFactory()
    body = {"lead_external_id": "tg:1", "source_code": source.code, "message": "x" * 10_001}
    for language, said in (("en", "characters"), ("ru", "символов"), ("en", "characters")):
        answer = api.post("/contacts", body, headers={"accept-language": language})
        assert said in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", "Свободных операторов нет"), ("en", "Nobody is available"), ("de", "Свободных")],
)
def test_nobody_available_is_told_in_the_language_of_the_client(api, language, words):
    source = SourceFactory()
    AssignmentFactory(source=source, operator__name="Анна", operator__is_active=False)
    response = api.post(
        "/contacts",
        {"lead_external_id": "a", "source_id": source.pk},
        headers={"accept-language": language},
    )
    contact = response.json()
    assert (response.status_code, contact["operator_id"], contact["operator_name"]) == (
        201,
        None,
        None,
    )
    assert contact["distribution"]["outcome"] == "waiting"
    assert contact["distribution"]["draw"] is None
    assert words in contact["distribution_info"]
    assert "Анна" in contact["distribution_info"]


def test_the_chance_is_told_where_there_was_a_choice(api):
    source = SourceFactory()
    AssignmentFactory.create_batch(2, source=source)
    info = api.post("/contacts", {"lead_external_id": "a", "source_id": source.pk}).json()
    assert "50,0 %" in info["distribution_info"]


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"source_code": "tg"}, "lead_external_id"),
        ({"source_code": "tg", "lead_external_id": ""}, "lead_external_id"),
        ({"source_code": "tg", "lead_external_id": " \t\n"}, "lead_external_id"),
        ({"source_code": "tg", "lead_external_id": 5}, "lead_external_id"),
        ({"source_code": "tg", "lead_external_id": "я" * 256}, "lead_external_id"),
        ({"lead_external_id": "a"}, "source_code"),
        ({"lead_external_id": "a", "source_code": None}, "source_code"),
        ({"lead_external_id": "a", "source_code": "TG"}, "source_code"),
        ({"lead_external_id": "a", "source_code": " tg"}, "source_code"),
        ({"lead_external_id": "a", "source_id": 10**9}, "source_id"),
        ({"lead_external_id": "a", "source_code": "tg", "source_id": 10**9}, "source_id"),
        ({"lead_external_id": "a", "source_code": "tg", "message": "я" * 10_001}, "message"),
        ({"lead_external_id": "a", "source_code": "tg", "lead_phone": "5" * 65}, "lead_phone"),
        ({"lead_external_id": "a", "source_code": "tg", "lead_email": "5" * 255}, "lead_email"),
        ({"lead_external_id": "a", "source_code": "tg", "lead_name": "5" * 256}, "lead_name"),
    ],
)
def test_a_wrong_value_is_named_and_leaves_nothing_behind(api, body, attr):
    SourceFactory(code="tg")
    response = api.post("/contacts", body)
    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [attr]
    assert not Lead.objects.exists()


def test_texts_of_the_greatest_length_are_kept_and_null_means_empty(api):
    SourceFactory(code="tg")
    body = {"lead_external_id": "я" * 255, "source_code": "tg", "message": "я" * 10_000}
    contact = api.post("/contacts", {**body, "lead_name": None, "lead_email": None}).json()
    assert contact["message"] == body["message"]
    assert contact["lead"]["external_id"] == body["lead_external_id"]
    assert contact["lead"]["name"] == ""


def test_an_inactive_source_is_a_conflict(api):
    SourceFactory(code="tg", is_active=False)
    response = api.post("/contacts", {"lead_external_id": "a", "source_code": "tg"})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "source_inactive")


@pytest.mark.parametrize("operators", [1, 30])
def test_a_new_contact_of_a_new_lead_takes_eight_queries(
    api, operators, django_assert_max_num_queries
):
    source = SourceFactory()
    AssignmentFactory.create_batch(operators, source=source)
    with django_assert_max_num_queries(8):  # the bounds of the transaction are two of them
        api.post("/contacts", {"lead_external_id": "a", "source_id": source.pk})


def test_a_status_is_changed_and_closing_twice_keeps_the_time(api):
    contact = ContactFactory(operator=OperatorFactory())
    path = f"/contacts/{contact.pk}/status"
    assert api.patch(path, {"status": "in_progress"}).json()["status"] == "in_progress"
    closed = api.patch(path, {"status": "closed"}).json()
    assert closed["closed_at"] == api.patch(path, {"status": "closed"}).json()["closed_at"]
    reopened = api.patch(path, {"status": "new"}).json()
    assert (reopened["closed_at"], reopened["operator_id"]) == (None, None)


@pytest.mark.parametrize("status", ["lost", "", None, 5, "Closed"])
def test_an_unknown_status_is_refused(api, status):
    response = api.patch(f"/contacts/{ContactFactory().pk}/status", {"status": status})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "status")


def test_reassigning_tells_whether_the_operator_changed(api):
    target = OperatorFactory(name="Вера")
    path = f"/contacts/{ContactFactory().pk}/reassign"
    first = api.post(path, {"operator_id": target.pk}).json()
    second = api.post(path, {"operator_id": target.pk}).json()
    assert (first["reassigned"], second["reassigned"]) == (True, False)
    assert (first["distribution"]["outcome"], first["distribution"]["strategy"]) == (
        "assigned",
        None,
    )
    assert first["distribution_info"] == "Передано по выбору человека: Вера."
    assert second["distribution_info"] == "Остаётся у прежнего оператора: Вера."


def test_reassigning_with_nobody_else_says_that_it_stays(api):
    assignment = AssignmentFactory(operator__name="Вера")
    contact = ContactFactory(source=assignment.source, operator=assignment.operator)
    body = api.post(f"/contacts/{contact.pk}/reassign").json()
    assert (body["reassigned"], body["operator_id"]) == (False, assignment.operator_id)
    assert body["distribution"]["skipped"][0]["reason"] == "excluded"
    assert body["distribution_info"].startswith("Остаётся у оператора Вера")


@pytest.mark.parametrize(
    ("contact", "target", "code"),
    [
        ({"status": "closed"}, {}, "contact_closed"),
        ({}, {"is_active": False}, "operator_inactive"),
    ],
)
def test_what_the_state_forbids_is_a_conflict(api, contact, target, code):
    path = f"/contacts/{ContactFactory(**contact).pk}/reassign"
    response = api.post(path, {"operator_id": OperatorFactory(**target).pk})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, code)


def test_a_full_operator_is_a_conflict_unless_forced(api):
    target = OperatorFactory(max_active_contacts=1)
    ContactFactory(operator=target)
    path = f"/contacts/{ContactFactory().pk}/reassign"
    refused = api.post(path, {"operator_id": target.pk})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "operator_full")
    assert api.post(path, {"operator_id": target.pk, "force": True}).status_code == 200


@pytest.mark.parametrize("operator_id", [10**9, 0, "1", [], 2**70])
def test_an_operator_who_does_not_exist_is_named(api, operator_id):
    path = f"/contacts/{ContactFactory().pk}/reassign"
    response = api.post(path, {"operator_id": operator_id})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "operator_id")


class TestList:
    def test_newest_first_page_by_page_and_back(self, api):
        made = [ContactFactory().pk for _ in range(5)][::-1]
        first = api.get("/contacts?page_size=2")
        assert "count" not in first.json()
        second = api.get(first.json()["next"])
        third = api.get(second.json()["next"])
        assert (ids(first), ids(second), ids(third)) == (made[:2], made[2:4], made[4:])
        assert (first.json()["previous"], third.json()["next"]) == (None, None)
        assert ids(api.get(third.json()["previous"])) == made[2:4]
        back = api.get(second.json()["previous"])
        assert (ids(back), back.json()["previous"]) == (made[:2], None)
        assert ids(api.get(back.json()["next"])) == made[2:4]

    def test_contacts_of_one_moment_are_neither_repeated_nor_left_out(self, api):
        moment = ContactFactory().created_at
        ContactFactory.create_batch(6, created_at=moment)
        seen, url = [], "/contacts?page_size=3"
        while url:
            page = api.get(url)
            seen += ids(page)
            url = page.json()["next"]
        assert seen == sorted(Contact.objects.values_list("pk", flat=True), reverse=True)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("status=new", {"waiting", "new"}),
            ("status=new&status=closed", {"waiting", "new", "closed"}),
            ("waiting=true", {"waiting"}),
            ("waiting=false", {"new", "in_progress", "closed"}),
            ("source=vk", {"closed"}),
            ("source=VK", set()),
            ("search=щУК", {"new"}),
            ("search=ЁЛКА", {"closed"}),
            ("search=LEAD:X", {"in_progress"}),
            ("search=_", set()),
            ("created_after=2000-01-01T00:00:00Z", {"waiting", "new", "in_progress", "closed"}),
            ("created_before=2000-01-01", set()),
        ],
    )
    def test_it_is_filtered(self, api, query, found):
        operator = OperatorFactory()
        made = {
            "waiting": ContactFactory(),
            "new": ContactFactory(operator=operator, message="О рыбе Щука"),
            "in_progress": ContactFactory(
                operator=operator, status="in_progress", lead__external_id="lead:x"
            ),
            "closed": ContactFactory(
                status="closed", source__code="vk", lead__name="Ольга Ёлкина ёлка"
            ),
        }
        assert set(ids(api.get(f"/contacts?{query}"))) == {made[name].pk for name in found}

    @pytest.mark.parametrize("field", ["operator_id", "lead_id", "source_id"])
    def test_it_is_filtered_by_id(self, api, field):
        mine, _other = (ContactFactory(operator=OperatorFactory()) for _ in range(2))
        assert ids(api.get(f"/contacts?{field}={getattr(mine, field)}")) == [mine.pk]

    @pytest.mark.parametrize("rows", [1, 50])
    def test_it_takes_one_query(self, api, rows, django_assert_num_queries):
        for _ in range(rows):
            ContactFactory(operator=OperatorFactory())
        with django_assert_num_queries(1):
            assert len(ids(api.get("/contacts"))) == rows


class TestLeads:
    def test_a_lead_has_its_contacts_from_every_source(self, api):
        lead = LeadFactory()
        older, newer = ContactFactory(lead=lead), ContactFactory(lead=lead)
        ContactFactory()
        body = api.get(f"/leads/{lead.pk}").json()
        assert [each["id"] for each in body["contacts"]] == [newer.pk, older.pk]
        assert body["contacts_next"] is None

    def test_more_contacts_than_fit_go_on_in_the_list(self, api, monkeypatch):
        monkeypatch.setattr("contacts.serializers.LEAD_CONTACTS", 2)
        lead = LeadFactory()
        oldest, *_newer = ContactFactory.create_batch(3, lead=lead)
        body = api.get(f"/leads/{lead.pk}").json()
        assert len(body["contacts"]) == 2
        assert ids(api.get(body["contacts_next"])) == [oldest.pk]

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("external_id=A", 1),
            ("external_id=a", 0),
            ("phone=%2B7 900", 1),
            ("email=a@example.com", 1),
            ("search=щУКИ", 1),
            ("search=7 900", 1),
            ("search=nobody", 0),
            ("", 2),
        ],
    )
    def test_they_are_filtered(self, api, query, count):
        LeadFactory(external_id="A", name="Щукина", phone="+7 900", email="a@example.com")
        LeadFactory()
        assert len(ids(api.get(f"/leads?{query}"))) == count

    @pytest.mark.parametrize("rows", [1, 50])
    def test_a_list_takes_one_query(self, api, rows, django_assert_num_queries):
        LeadFactory.create_batch(rows)
        with django_assert_num_queries(1):
            api.get("/leads")

    @pytest.mark.parametrize("rows", [1, 20])
    def test_one_takes_four_queries_with_why_they_wait(self, api, rows, django_assert_num_queries):
        lead = LeadFactory()
        ContactFactory.create_batch(rows, lead=lead)
        with django_assert_num_queries(4):
            api.get(f"/leads/{lead.pk}")
