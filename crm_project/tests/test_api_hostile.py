"""No input gives a 5xx; what is wrong is a 4xx in the one shape of errors."""

import json
import re

import pytest
from django.db import OperationalError
from django.db.models.query import QuerySet
from django.test import Client

from contacts.tests.factories import ContactFactory
from sources.tests.factories import AssignmentFactory
from stats import views

pytestmark = pytest.mark.django_db

TEXTS = ["name", "code", "lead_external_id", "message", "status", "strategy"]
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "an array": b"[]",
    "a text": b'"text"',
    "null": b"null",
    "NaN": b'{"name": NaN, "max_active_contacts": NaN}',
    "400 digits": b'{"name": "a", "max_active_contacts": 9%s, "source_id": 9%s}'
    % ((b"9" * 400,) * 2),
    "5000 digits": b'{"max_active_contacts": %s}' % (b"9" * 5000),
    "infinity": b'{"weight": 1e400, "max_active_contacts": 1e400, "source_id": 1e400}',
    "deep arrays": b"[" * 5000 + b"]" * 5000,
    "deep objects": b'{"name":' * 5000 + b"1" + b"}" * 5000,
    "NUL": json.dumps(dict.fromkeys(TEXTS, "a\x00")).encode(),
    "lone surrogate": json.dumps(dict.fromkeys(TEXTS, "\ud800")).encode(),
    "wrong types": json.dumps(
        {name: {} for name in TEXTS}
        | {name: [] for name in ("weight", "operator_id", "source_id", "force")}
    ).encode(),
    "too long": json.dumps(dict.fromkeys(TEXTS, "я" * 20_000)).encode(),
}
WRITES = [
    ("post", "/operators"),
    ("patch", "/operators/{operator}"),
    ("post", "/sources"),
    ("patch", "/sources/{source}"),
    ("post", "/assignments"),
    ("patch", "/assignments/{operator}/{source}"),
    ("post", "/contacts"),
    ("patch", "/contacts/{contact}/status"),
    ("post", "/contacts/{contact}/reassign"),
]
LISTS = ["/operators", "/sources", "/assignments", "/contacts", "/leads"]
NUMBERED, BY_CURSOR = LISTS[:3], LISTS[3:]
WRONG_QUERIES = [
    ("/operators", "is_active=maybe"),
    ("/operators", "has_capacity=2"),
    ("/operators", "ordering=password"),
    ("/operators", "search=%00"),
    ("/sources", "is_active=x"),
    ("/assignments", "operator_id=x"),
    ("/assignments", f"source_id={'9' * 30}"),
    ("/contacts", "status=lost"),
    ("/contacts", "status=new&status=lost"),
    ("/contacts", "waiting=perhaps"),
    ("/contacts", f"lead_id={'9' * 30}"),
    ("/contacts", "operator_id=0"),
    ("/contacts", "source_id=1.5"),
    ("/contacts", "source=%00"),
    ("/contacts", "created_after=yesterday"),
    ("/contacts", "created_after=0001-01-01T00:00:00%2B14:00"),
    ("/contacts", "created_before=9999-12-31T23:59:59-14:00"),
    ("/contacts", "search=%00"),
    ("/leads", "external_id=%00"),
    ("/stats/sources/{source}", "since=x"),
    ("/stats/sources/{source}", "until=9999-12-31T23:59:59-14:00"),
    *((path, "page_size=0") for path in LISTS),
    *((path, "page_size=501") for path in LISTS),
    *((path, f"page_size={'9' * 400}") for path in LISTS),
    *((path, "page=0") for path in NUMBERED),
    *((path, "page=99") for path in NUMBERED),
    *((path, "page=%D9%A3") for path in NUMBERED),
    *((path, "cursor=x") for path in BY_CURSOR),
    *((path, "cursor=%00") for path in BY_CURSOR),
    *((path, "cursor=%D1%8F") for path in BY_CURSOR),
    # A cursor whose moment lies outside the calendar in UTC.
    *((path, "cursor=biA5OTk5LTEyLTMxVDIzOjU5OjU5LTIzOjAwIDE=") for path in BY_CURSOR),
]
HARMLESS_QUERIES = ["format=xml", "foo=%00", "search=%ED%A0%80", "search=%25_%5C", "page_size=500"]
IMPOSSIBLE_IDS = ["0", "99999", "9" * 30, "9" * 5000, "-1", "x", "%00", "1.0", "٣"]


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture
def ids():
    assignment = AssignmentFactory()
    contact = ContactFactory(source=assignment.source, operator=assignment.operator)
    return {
        "operator": assignment.operator_id,
        "source": assignment.source_id,
        "contact": contact.pk,
    }


def assert_refused(response, status):
    assert response.status_code == status, response.content
    body = response.json()
    assert set(body) == {"type", "errors"}
    assert all(set(error) == {"code", "detail", "attr"} for error in body["errors"])


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_hostile_body_is_refused_or_has_nothing_that_counts(client, ids, method, path, body):
    send = getattr(client, method)
    response = send(path.format(**ids), BODIES[body], content_type="application/json")
    if response.status_code != 200 or body in ("no JSON", "an array", "deep arrays"):
        assert_refused(response, 400)


@pytest.mark.parametrize(("path", "query"), WRONG_QUERIES)
def test_a_wrong_query_parameter_is_a_400_that_names_it(client, ids, path, query):
    response = client.get(f"{path.format(**ids)}?{query}")
    assert_refused(response, 400)
    (error,) = response.json()["errors"]
    assert error["attr"] == query.split("=")[0]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", HARMLESS_QUERIES)
def test_an_odd_query_is_no_error(client, path, query):
    assert client.get(f"{path}?{query}").status_code == 200


@pytest.mark.parametrize("pk", IMPOSSIBLE_IDS)
@pytest.mark.parametrize("path", ["operators", "sources", "contacts", "leads", "stats/sources"])
def test_an_impossible_id_is_not_found(client, path, pk):
    assert_refused(client.get(f"/{path}/{pk}"), 404)


@pytest.mark.parametrize("pk", IMPOSSIBLE_IDS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("patch", "/contacts/{pk}/status"),
        ("post", "/contacts/{pk}/reassign"),
        ("delete", "/operators/{pk}"),
        ("delete", "/sources/{pk}"),
        ("patch", "/assignments/{pk}/{source}"),
        ("delete", "/assignments/{operator}/{pk}"),
    ],
)
def test_nothing_can_be_done_to_an_impossible_id(client, ids, method, path, pk):
    send = getattr(client, method)
    response = send(path.format(pk=pk, **ids), {"weight": 2}, content_type="application/json")
    assert_refused(response, 404)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_another_content_type_is_a_415(client, ids, method, path):
    send = getattr(client, method)
    assert_refused(send(path.format(**ids), b"<a/>", content_type="text/xml"), 415)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_body_over_1_mib_is_a_413(client, ids, method, path):
    send = getattr(client, method)
    body = b" " * (1024**2 + 1)
    assert_refused(send(path.format(**ids), body, content_type="application/json"), 413)


@pytest.mark.parametrize("path", [*LISTS, "/stats", "/contacts/1/status", "/contacts/1/reassign"])
def test_another_method_is_a_405_with_allow(client, path):
    response = client.put(path, {}, content_type="application/json")
    assert_refused(response, 405)
    assert response["Allow"]


def test_a_foreign_host_is_a_400(client):
    assert_refused(client.get("/operators", headers={"host": "evil.example"}), 400)


def test_a_body_of_unknown_length_is_a_411(client):
    chunked = {"transfer-encoding": "chunked"}
    response = client.post("/contacts", b"{}", content_type="application/json", headers=chunked)
    assert_refused(response, 411)


def test_an_unknown_address_is_a_404(client):
    assert_refused(client.get("/nothing"), 404)


@pytest.mark.parametrize(("language", "detail"), [("", "обязательн"), ("en", "required")])
def test_errors_speak_russian_unless_asked_for_english(client, language, detail):
    headers = {"accept-language": language}
    response = client.post("/operators", {}, content_type="application/json", headers=headers)
    (error,) = response.json()["errors"]
    assert (error["code"], error["attr"]) == ("required", "name")
    assert detail in error["detail"].lower()


def test_a_broken_database_is_a_503_that_says_when_to_come_back(client, monkeypatch):
    def broken(self):
        raise OperationalError("gone")

    monkeypatch.setattr(QuerySet, "_fetch_all", broken)
    response = client.get("/operators/1")
    assert_refused(response, 503)
    assert response.json()["errors"][0]["code"] == "database_unavailable"
    assert response["Retry-After"] == "5"


def test_an_unforeseen_error_shows_nothing_of_itself(client, monkeypatch):
    def broken():
        raise RuntimeError("secret")

    monkeypatch.setattr(views, "overview", broken)
    response = client.get("/stats")
    assert_refused(response, 500)
    assert "secret" not in response.content.decode()


HOSTILE_HEADERS = [
    ("/operators", {"Cookie": 'sessionid="\\000\\000aaaaaaaa"'}, 400),
    ("/admin/login/", {"Cookie": 'sessionid="\\000\\000aaaaaaaa"'}, 400),
    ("/operators", {"Origin": "http://["}, 403),
    ("/openapi.json?version=%00", {}, 200),
    ("/openapi.json?version=%0a", {}, 200),
]


@pytest.mark.parametrize(("path", "headers", "status"), HOSTILE_HEADERS)
def test_a_hostile_header_is_no_server_error(client, path, headers, status):
    assert client.get(path, headers=headers).status_code == status


def test_a_page_of_another_site_cannot_use_the_open_api(client, ids):
    path = f"/contacts/{ids['contact']}/reassign"
    foreign = {"origin": "http://evil.example"}
    refused = client.post(path, b"", content_type="text/plain", headers=foreign)
    assert_refused(refused, 403)
    own = {"origin": "http://testserver"}
    assert client.post(path, {}, content_type="application/json", headers=own).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/health", "/health/ready", "/docs", "/redoc", "/openapi.json"]
)
def test_a_page_too_refuses_another_method_in_the_one_shape(path):
    response = Client(enforce_csrf_checks=True).post(path)
    assert_refused(response, 405)
    assert response["Allow"]


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ("{", None),
        ("[]", None),
        ('{"name": 5}', "name"),
        ('{"name": "a", "is_active": "x"}', "is_active"),
    ],
)
def test_what_is_wrong_is_told_in_russian(client, body, attr):
    response = client.post("/operators", body, content_type="application/json")
    assert_refused(response, 400)
    (error,) = response.json()["errors"]
    assert error["attr"] == attr
    assert re.match("[А-Я]", error["detail"])
