"""The API that is open: to whom, and what of a credential that is shown to it all the same."""

import pytest

from access.tests.keys import bearer, make_key
from contacts.tests.factories import ContactFactory
from operators.tests.people import make_lead, make_operator
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
PROXIES = [
    {"HTTP_X_FORWARDED_FOR": "203.0.113.7"},
    {"HTTP_FORWARDED": "for=203.0.113.7"},
    {"HTTP_X_REAL_IP": "203.0.113.7"},
    {"HTTP_X_FORWARDED_FOR": ""},
    {"REMOTE_ADDR": "203.0.113.7"},
    {"REMOTE_ADDR": "192.168.0.7"},
    {"REMOTE_ADDR": ""},
    {"REMOTE_ADDR": "unix"},
]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_everything_is_allowed_on_this_machine_without_a_credential(client, address):
    for path in ("/operators", "/stats", "/"):
        assert client.get(path, REMOTE_ADDR=address).status_code == 200
    body = {"name": "Вера"}
    answer = client.post("/operators", body, "application/json", REMOTE_ADDR=address)
    assert answer.status_code == 201


@pytest.mark.parametrize("sent", PROXIES)
def test_it_is_closed_to_what_comes_from_elsewhere(client, sent):
    ContactFactory(message="тайна")
    for path in ("/contacts", "/leads", "/operators", "/stats"):
        answer = client.get(path, **sent, HTTP_ACCEPT_LANGUAGE="en")
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (401, "not_authenticated")
        assert "this machine alone" in error["detail"]
    assert client.get("/", **sent).status_code == 401


@pytest.mark.parametrize("sent", PROXIES)
def test_a_key_and_a_session_are_good_from_everywhere(client, sent):
    _, text = make_key("read")
    assert client.get("/contacts", **bearer(text), **sent).status_code == 200
    client.force_login(make_lead())
    assert client.get("/contacts", **sent).status_code == 200


def test_a_credential_is_obeyed_where_none_would_be_needed(client):
    contact = ContactFactory(operator=make_operator("Анна"))
    foreign = ContactFactory(operator=make_operator("Борис"))
    source = SourceFactory()
    assert client.get("/stats", **bearer("wrong")).status_code == 401
    assert client.get("/", **bearer("wrong")).status_code == 401
    assert client.get("/stats", **bearer(make_key("intake", source)[1])).status_code == 403
    read = bearer(make_key("read")[1])
    assert client.get("/stats", **read).status_code == 200
    assert client.post("/contacts/bulk", {}, "application/json", **read).status_code == 403
    client.force_login(contact.operator.user)
    assert client.get("/stats").status_code == 403
    assert client.get("/").status_code == 401
    assert client.get(f"/contacts/{foreign.pk}").status_code == 404
    assert client.get(f"/contacts/{contact.pk}").status_code == 200


def test_with_a_key_the_page_of_another_origin_may_ask(client):
    origin = {"HTTP_ORIGIN": "https://shop.example"}
    assert client.get("/stats", **origin).status_code == 403
    assert client.get("/stats", **origin, **bearer(make_key("read")[1])).status_code == 200


@pytest.mark.parametrize("is_open", [True, False])
def test_openapi_names_both_credentials_and_whether_one_is_needed(client, settings, is_open):
    settings.API_IS_OPEN = is_open
    schema = client.get("/openapi.json").json()
    schemes = schema["components"]["securitySchemes"]
    kinds = {(each["type"], each.get("scheme") or each.get("in")) for each in schemes.values()}
    assert kinds == {("http", "bearer"), ("apiKey", "cookie")}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if path == "/sources/{code}/webhook":
                # Whoever sends there is known by the channel's own secret.
                assert "security" not in operation or operation["security"] == [{}]
                continue
            assert {name for each in operation["security"] for name in each} == set(schemes)
            assert ({} in operation["security"]) == is_open
            assert {"401", "403"} <= set(operation["responses"]), (path, method)
