"""What an operator, and who has single permissions, gets by the API: by every way to others'."""

import pytest

from contacts.models import Contact
from contacts.rights import visible_contacts
from contacts.services import change_status, reassign_contact
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, owner
from leads.models import Lead
from operators.roles import OPERATOR
from operators.tests.people import make_lead, make_operator, make_user
from operators.tests.permissions import allow
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_production(settings):
    settings.API_IS_OPEN = False


@pytest.fixture
def source():
    return SourceFactory(code="site")


@pytest.fixture
def anna(source):
    return AssignmentFactory(operator=make_operator("Анна"), source=source).operator


@pytest.fixture
def boris(source):
    return AssignmentFactory(operator=make_operator("Борис"), source=source).operator


@pytest.fixture
def mine(anna, source):
    return ContactFactory(operator=anna, source=source, message="моё", lead__name="Мой")


@pytest.fixture
def foreign(boris, source):
    return ContactFactory(
        operator=boris,
        source=source,
        message="чужое",
        lead__name="Чужой",
        lead__phone="+7916",
        lead__email="a@b.c",
    )


@pytest.fixture
def ask(client, anna):
    """The operator's client."""
    client.force_login(anna.user)
    return client


def ids(response):
    assert response.status_code == 200
    return [each["id"] for each in response.json()["results"]]


def put(client, path, body):
    return client.patch(path, body, content_type="application/json")


def post(client, path, body=None):
    return client.post(path, body or {}, content_type="application/json")


def test_lists_have_only_what_is_theirs(ask, anna, mine, foreign):
    waiting, closed = ContactFactory(), ContactFactory(operator=anna, status="closed")
    assert ids(ask.get("/contacts")) == [mine.pk]
    assert set(ids(ask.get("/leads"))) == {mine.lead_id, closed.lead_id}
    assert waiting.pk != mine.pk


@pytest.mark.parametrize(
    "query",
    [
        "operator_id={operator}",
        "lead_id={lead}",
        "search=чужое",
        "search=Чужой",
        "search={external}",
        "waiting=true",
        "status=closed",
        "source_id={source}&operator_id={operator}",
        "created_after=2000-01-01",
        "escalated=false",
    ],
)
def test_no_filter_of_contacts_opens_more(ask, mine, foreign, query):
    ContactFactory(source=foreign.source)
    ContactFactory(operator=mine.operator, status="closed", lead=foreign.lead)
    names = {"operator": foreign.operator_id, "lead": foreign.lead_id, "source": foreign.source_id}
    found = ids(ask.get(f"/contacts?{query.format(external=foreign.lead.external_id, **names)}"))
    assert set(found) <= {mine.pk}


@pytest.mark.parametrize(
    "query", ["external_id={0.external_id}", "phone=%2B7916", "email=a@b.c", "search=Чужой"]
)
def test_no_filter_of_leads_opens_more(ask, mine, foreign, query):
    assert ids(ask.get(f"/leads?{query.format(foreign.lead)}")) == []


def test_no_cursor_of_another_opens_more(client, anna, mine, foreign):
    ContactFactory(operator=foreign.operator)
    client.force_login(make_lead())
    link = client.get("/contacts?page_size=1").json()["next"]
    client.force_login(anna.user)
    assert set(ids(client.get(link))) <= {mine.pk}


@pytest.mark.parametrize("method", ["get", "history", "status", "reassign"])
def test_what_is_anothers_is_not_there_closed_and_waiting_neither(ask, anna, foreign, method):
    closed, waiting = ContactFactory(operator=anna, status="closed"), ContactFactory()
    for contact in (foreign, closed, waiting):
        path = f"/contacts/{contact.pk}"
        answers = {
            "get": lambda path=path: ask.get(path),
            "history": lambda path=path: ask.get(f"{path}/history"),
            "status": lambda path=path: put(ask, f"{path}/status", {"status": "new"}),
            "reassign": lambda path=path: ask.post(f"{path}/reassign"),
        }
        answer, before = answers[method](), (contact.status, contact.operator)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "not_found")
        contact.refresh_from_db()
        assert (contact.status, contact.operator) == before


def test_it_looks_the_same_as_what_does_not_exist_whatever_the_body(ask, foreign):
    for body in ({"status": "closed"}, {"status": "nonsense"}, {}):
        there = put(ask, f"/contacts/{foreign.pk}/status", body)
        not_there = put(ask, "/contacts/999999/status", body)
        assert (there.status_code, there.content) == (404, not_there.content)


def test_a_lead_has_only_the_contacts_that_are_theirs(ask, mine, foreign):
    ContactFactory(lead=mine.lead)
    ContactFactory(lead=mine.lead, operator=foreign.operator)
    ContactFactory(lead=mine.lead, operator=mine.operator, status="closed")
    answer = ask.get(f"/leads/{mine.lead_id}").json()
    assert [each["id"] for each in answer["contacts"]] == [mine.pk]
    assert answer["contacts_next"] is None
    assert ask.get(f"/leads/{foreign.lead_id}").status_code == 404


def test_a_lead_that_was_merged_leads_nowhere(ask, mine, foreign):
    merged = Lead.objects.create(external_id="old", merged_into=foreign.lead)
    assert ask.get(f"/leads/{merged.pk}").status_code == 404
    assert ids(ask.get("/leads?external_id=old")) == []
    assert ids(ask.get(f"/contacts?lead_id={merged.pk}")) == []


def test_their_own_can_be_taken_and_closed_but_not_reopened(ask, mine):
    path = f"/contacts/{mine.pk}"
    assert put(ask, f"{path}/status", {"status": "in_progress"}).json()["status"] == "in_progress"
    assert put(ask, f"{path}/status", {"status": "closed"}).json()["status"] == "closed"
    assert put(ask, f"{path}/status", {"status": "new"}).status_code == 404


def test_their_own_can_be_returned_to_the_queue_and_not_be_handed_to_somebody(ask, mine, boris):
    path = f"/contacts/{mine.pk}/reassign"
    for body in ({"operator_id": boris.pk}, {"force": True}, {"operator_id": mine.operator_id}):
        assert post(ask, path, body).status_code == 403
        assert owner(mine) == mine.operator
    body = {"operator_id": None, "force": False}
    answer = post(ask, path, body).json()
    assert (answer["operator_name"], answer["reassigned"]) == ("Борис", True)
    assert ask.get(f"/contacts/{mine.pk}").status_code == 404


def test_colleagues_weights_and_loads_are_not_for_colleagues(client, anna, source):
    contact, _ = arrive(source)
    AssignmentFactory(operator=make_operator("Вера", is_active=False), source=source)
    client.force_login(anna.user)
    [own] = client.get(f"/contacts/{contact.pk}/history").json()["results"]
    moved = post(client, f"/contacts/{contact.pk}/reassign").json()
    for shown in (own, moved["distribution"]):
        assert (shown["candidates"], shown["skipped"]) == ([], [])
    page = client.get(f"/admin/contacts/contact/{contact.pk}/change/").content.decode()
    history = client.get(f"/admin/contacts/contact/{contact.pk}/history/").content.decode()
    for words in (moved["distribution_info"], page, history):
        assert "Анна" in words
        assert not any(each in words for each in ("Вера", "вероятност", "вес "))
    client.force_login(make_lead())
    first, last = client.get(f"/contacts/{contact.pk}/history").json()["results"]
    assert first["candidates"]
    assert last["skipped"]


def test_nothing_else_is_told_even_to_a_linked_one(ask, mine):
    operator, source = f"/operators/{mine.operator_id}", f"/sources/{mine.source_id}"
    preview = f"{source}/preview?lead_external_id=x"
    for path in ("/operators", operator, source, preview, "/assignments", "/stats"):
        assert ask.get(path).status_code == 403


def test_who_is_not_linked_has_nothing_not_even_what_waits(client, mine):
    waiting = ContactFactory()
    client.force_login(make_user("new", OPERATOR))
    assert ids(client.get("/contacts")) == ids(client.get("/leads")) == []
    assert client.get(f"/contacts/{waiting.pk}").status_code == 404
    assert client.post(f"/contacts/{waiting.pk}/reassign").status_code == 404


@pytest.mark.parametrize("act", ["status", "reassign"])
def test_what_goes_to_another_at_the_last_moment_stays_with_that_one(
    ask, mine, boris, monkeypatch, act
):
    """It is found, and somebody else's before its lock is had."""

    def late(work):
        def changed(contact_id, **how):
            Contact.objects.filter(pk=contact_id).update(operator=boris)
            return work(contact_id, **how)

        return changed

    monkeypatch.setattr("contacts.views.change_status", late(change_status))
    monkeypatch.setattr("contacts.views.reassign_contact", late(reassign_contact))
    path = f"/contacts/{mine.pk}/{act}"
    answer = put(ask, path, {"status": "closed"}) if act == "status" else post(ask, path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "not_yours")
    mine.refresh_from_db()
    assert (mine.status, mine.operator) == ("new", boris)


def test_single_permissions_let_in_to_what_they_name_and_nothing_beside(client, mine, foreign):
    client.force_login(allow(make_user("clerk"), "leads.view_lead"))
    answer = client.get(f"/leads/{mine.lead_id}").json()
    assert (answer["name"], answer["contacts"]) == ("Мой", [])
    assert client.get("/contacts").status_code == 403
    client.force_login(allow(make_user("reader"), "contacts.view_contact"))
    assert set(ids(client.get("/contacts"))) == {mine.pk, foreign.pk}
    assert put(client, f"/contacts/{mine.pk}/status", {"status": "closed"}).status_code == 403
    assert client.get("/leads").status_code == 403
    assert client.get("/stats").status_code == 403


def test_a_weight_wants_both_the_right_to_add_and_to_change(client, mine):
    body = {"operator_id": mine.operator_id, "source_id": mine.source_id, "weight": 7}
    both = ["sources.add_assignment", "sources.change_assignment"]
    for name, permissions, status in [("clerk", both[:1], 403), ("other", both, 200)]:
        client.force_login(allow(make_user(name), *permissions))
        assert post(client, "/assignments", body).status_code == status


def test_who_may_not_sign_in_any_more_is_refused_with_an_old_session(client, anna, mine):
    client.force_login(anna.user)
    anna.user.is_staff = False
    anna.user.save()
    assert client.get("/contacts").status_code == 403


def test_lists_cost_the_same_for_one_and_for_many(ask, anna, mine, django_assert_max_num_queries):
    for _ in range(20):
        ContactFactory(operator=anna, source=mine.source)
    for path in ("/contacts", "/leads"):
        # Session, user, groups, permissions (of the user and of the groups), operator, the list.
        with django_assert_max_num_queries(7):
            assert len(ids(ask.get(path))) == 21
    assert visible_contacts(anna.user).count() == 21
