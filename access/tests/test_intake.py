"""A key that only creates contacts: where it may, and what it learns of people by it."""

import json

import pytest

from access.tests.keys import bearer, make_key
from contacts.models import Contact
from contacts.services import Inquiry, create_contact
from contacts.tests.scenes import serve
from leads.models import Lead
from leads.services import Profile
from operators.tests.people import make_lead, make_user
from operators.tests.permissions import allow
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
SECRETS = ("Пётр Иванов", "+79161234567", "petr@example.com", "wa:79161234567")


@pytest.fixture(autouse=True)
def _in_production(settings):
    settings.API_IS_OPEN = False


@pytest.fixture
def source():
    source = SourceFactory(code="site")
    serve(source, name="Анна")
    return source


@pytest.fixture
def known(source):
    """A lead who has told everything before."""
    inquiry = Inquiry(SourceFactory(code="phone"), "form:1", profile=Profile(*SECRETS[:3]))
    return create_contact(inquiry)[0].lead


@pytest.fixture
def sent(source):
    return bearer(make_key("intake", source)[1])


@pytest.fixture
def post(client, sent):
    def post(body, path="/contacts", **headers):
        return client.post(path, body, content_type="application/json", **sent, **headers)

    return post


def code_of(response):
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], error["attr"]


@pytest.mark.parametrize("field", ["source_code", "source_id"])
def test_another_source_is_refused_by_the_name_it_was_given(post, field):
    other = SourceFactory(code="phone")
    named = {"source_code": other.code, "source_id": other.pk}[field]
    response = post({"lead_external_id": "x", field: named})
    assert code_of(response) == (403, "source_not_allowed", field)
    assert not Lead.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"), [("source_code", "nowhere"), ("source_id", 999_999), ("source_code", 5)]
)
def test_a_source_that_is_not_there_is_a_wrong_value_as_ever(post, field, value):
    assert post({"lead_external_id": "x", field: value}).status_code == 400


def test_in_bulk_what_is_not_allowed_stops_nothing_else(post):
    SourceFactory(code="phone")
    codes = ["site", "phone", "nowhere", "site"]
    items = [{"lead_external_id": f"x{n}", "source_code": each} for n, each in enumerate(codes)]
    results = post({"contacts": items}, "/contacts/bulk").json()["results"]
    errors = [each["errors"][0]["code"] if "errors" in each else None for each in results]
    assert errors == [None, "source_not_allowed", "does_not_exist", None]
    assert results[1]["errors"][0]["attr"] == "source_code"
    assert set(Contact.objects.values_list("source__code", flat=True)) == {"site"}


def test_a_key_whose_sources_are_gone_may_create_nothing(post, source):
    SourceFactory(code="phone")
    source.assignments.all().delete()
    source.delete()
    body = {"lead_external_id": "x", "source_code": "phone"}
    assert code_of(post(body))[1] == "source_not_allowed"


@pytest.mark.parametrize("path", ["/contacts", "/contacts/bulk"])
@pytest.mark.usefixtures("known")
def test_nobody_reads_a_phone_by_guessing_an_id(post, path):
    body = {"lead_external_id": "form:1", "source_code": "site", "lead_name": "Кто-то"}
    response = post({"contacts": [body]} if path.endswith("bulk") else body, path)
    answer = response.json()
    contact = answer["results"][0]["contact"] if path.endswith("bulk") else answer
    shown = {name: contact["lead"][name] for name in ("external_id", "name", "phone", "email")}
    assert shown == {"external_id": "form:1", "name": "Кто-то", "phone": "", "email": ""}
    # Nor since when somebody else has known it.
    assert contact["lead"]["created_at"] == contact["created_at"]
    assert not [each for each in SECRETS if each in json.dumps(answer, ensure_ascii=False)]


def test_nor_of_the_one_with_whom_the_lead_has_been_merged(post, known):
    Lead.objects.create(external_id="form:2", merged_into=known)
    answer = post({"lead_external_id": "form:2", "source_code": "site"}).json()
    assert (answer["lead"]["id"], answer["lead"]["external_id"]) == (known.pk, "form:2")
    assert "form:1" not in json.dumps(answer)


@pytest.mark.usefixtures("known")
def test_nor_by_an_idempotency_key_of_another_credential(client, post, source):
    manage = bearer(make_key("manage")[1])
    body = {"lead_external_id": "form:1", "source_code": "site"}
    key = {"HTTP_IDEMPOTENCY_KEY": "one"}
    told = client.post("/contacts", body, content_type="application/json", **manage, **key)
    assert told.json()["lead"]["phone"] == SECRETS[1]
    mine = post(body, **key)
    assert mine.json()["lead"]["phone"] == ""
    again = post(body, **key)
    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == mine.json()
    assert Contact.objects.filter(source=source).count() == 2


def test_in_bulk_an_item_is_not_told_what_another_said(post):
    said = {"lead_external_id": "x", "source_code": "site", "lead_phone": "+79160000000"}
    items = [said, {"lead_external_id": "x", "source_code": "site"}]
    results = post({"contacts": items}, "/contacts/bulk").json()["results"]
    assert [each["contact"]["lead"]["phone"] for each in results] == ["+79160000000", ""]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("may_see", [True, False])
def test_a_user_who_may_not_see_leads_is_told_no_more(client, source, may_see):
    user = make_user("clerk")
    allow(user, "contacts.add_contact", *(["leads.view_lead"] if may_see else []))
    client.force_login(user)
    body = {"lead_external_id": "form:1", "source_code": "site"}
    answer = client.post("/contacts", body, content_type="application/json").json()
    assert answer["lead"]["phone"] == (SECRETS[1] if may_see else "")


def test_it_costs_one_query_more_to_know_the_sources(
    client, source, sent, django_assert_max_num_queries
):
    body = {"contacts": [{"lead_external_id": str(n), "source_code": "site"} for n in range(50)]}
    kind = {"content_type": "application/json"}
    manage = bearer(make_key("manage")[1])
    for each in (sent, manage):
        client.post("/contacts/bulk", body, **kind, **each)
    with django_assert_max_num_queries(100) as all_sources:
        client.post("/contacts/bulk", body, **kind, **manage)
    with django_assert_max_num_queries(len(all_sources) + 1):
        client.post("/contacts/bulk", body, **kind, **sent)


def test_the_history_tells_who_sent_it(client, post, source):
    contact = post({"lead_external_id": "x", "source_code": "site"}).json()
    sent = bearer(make_key("read")[1])
    [decision] = client.get(f"/contacts/{contact['id']}/history", **sent).json()["results"]
    name = source.api_keys.get().name
    assert decision["actor"] == {"type": "api_key", "name": name}
    client.force_login(make_lead())
    page = client.get(f"/admin/contacts/contact/{contact['id']}/change/").content.decode()
    assert name in page
