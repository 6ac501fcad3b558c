"""Every answer tells the id by which the log has its request, and an error of ours nothing else."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from contacts.tests.factories import ContactFactory
from crm_project import request_log
from crm_project.responses import server_error
from stats import views

pytestmark = pytest.mark.django_db
OWN = re.compile("[0-9a-f]{32}")
ANSWERS = [
    ("get", "/", {}, 200),
    ("get", "/operators", {}, 200),
    ("get", "/operators", {"host": "evil.example"}, 400),
    ("get", "/operators", {"cookie": 'sessionid="\\000"'}, 400),
    ("get", "/nothing", {}, 404),
    ("get", "/admin/nothing/", {}, 302),
    ("get", "/favicon.ico", {}, 302),
    ("put", "/operators", {}, 405),
    ("post", "/health", {}, 405),
    ("post", "/contacts", {"transfer-encoding": "chunked"}, 411),
    ("post", "/contacts", {"content-length": str(2**21)}, 413),
    ("get", "/health", {}, 200),
    ("get", "/metrics", {}, 200),
]


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture
def broken(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("+7 900 123-45-67")

    monkeypatch.setattr(views, "overview", fail)
    monkeypatch.setattr("crm_project.site.CrmAdminSite.each_context", fail)


@pytest.mark.parametrize(("method", "path", "headers", "status"), ANSWERS)
def test_every_answer_has_an_id(client, method, path, headers, status):
    response = getattr(client, method)(path, headers=headers)
    assert response.status_code == status
    assert OWN.fullmatch(response["X-Request-ID"])


def test_two_requests_have_two_ids(client):
    assert client.get("/health")["X-Request-ID"] != client.get("/health")["X-Request-ID"]


@pytest.mark.parametrize("given", ["a", "A.b_c-9" * 9, "0" * 64])
def test_a_well_formed_id_is_taken_over(client, given):
    assert client.get("/nothing", headers={"x-request-id": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "0" * 65, "a b", "я", 'a"b', "a\n", "a\0"])
def test_any_other_is_replaced(client, given):
    answer = client.get("/nothing", headers={"x-request-id": given})
    assert OWN.fullmatch(answer["X-Request-ID"])


def test_a_static_file_has_one_too(client, settings, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    settings.STATIC_ROOT = str(tmp_path)
    client = Client()
    response = client.get("/static/a.txt")
    assert (response.status_code, b"".join(response)) == (200, b"a")
    assert OWN.fullmatch(response["X-Request-ID"])


def test_a_file_made_while_it_is_sent_has_one_too(admin_client):
    ContactFactory()
    response = admin_client.get("/admin/contacts/contact/export/csv/")
    assert response.streaming
    assert b"client:" in b"".join(response)
    assert OWN.fullmatch(response["X-Request-ID"])


@pytest.mark.parametrize(("language", "words"), [("en", "number in the log"), ("ru", "")])
def test_the_api_tells_of_an_error_of_ours_its_id_and_nothing_else(client, broken, language, words):
    headers = {"accept-language": language, "x-request-id": "r-1"}
    response = client.get("/stats", headers=headers)
    body = response.json()
    (error,) = body["errors"]
    assert (response.status_code, body["type"], error["code"]) == (500, "server_error", "error")
    assert error["attr"] is None
    assert error["detail"].endswith(": r-1")
    assert words in error["detail"]
    assert "900" not in response.content.decode()
    assert "RuntimeError" not in response.content.decode()


def test_outside_the_api_it_is_the_same(client, monkeypatch):
    def fail(request):
        raise RuntimeError("secret")

    monkeypatch.setattr("crm_project.home.render", fail)
    response = client.get("/", headers={"x-request-id": "r-1", "accept-language": "en"})
    assert response.status_code == 500
    assert response.json()["errors"][0]["detail"].endswith(": r-1")


def test_the_back_office_shows_the_id(admin_client, broken):
    admin_client.raise_request_exception = False
    response = admin_client.get("/admin/auth/user/", headers={"x-request-id": "r-1"})
    page = response.content.decode()
    assert (response.status_code, response["X-Request-ID"]) == (500, "r-1")
    assert "r-1" in page
    assert "RuntimeError" not in page


def test_a_fault_of_a_middleware_is_told_alike(client, monkeypatch):
    def fail(self, request):
        raise RuntimeError("secret")

    monkeypatch.setattr("crm_project.middleware.BodyLimitMiddleware.__call__", fail)
    response = Client(raise_request_exception=False).get("/operators")
    assert response.status_code == 500
    assert response.json()["errors"][0]["detail"].endswith(response["X-Request-ID"])


class TestWithoutADatabase:
    pytestmark = []

    def test_the_page_of_an_error_asks_none(self, django_assert_num_queries):
        request = RequestFactory().get("/admin/")
        request.id = "r-1"
        with django_assert_num_queries(0):
            page = server_error(request)
        assert "r-1" in page.content.decode()


def test_openapi_tells_of_the_header(client):
    schema = client.get("/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                assert "X-Request-ID" in response.get("headers", {}), (path, method, status)


def test_the_id_is_that_of_the_request_that_is_served(client, monkeypatch):
    seen = []
    monkeypatch.setattr(request_log, "uuid4", lambda: type("Id", (), {"hex": "0" * 32}))
    monkeypatch.setattr(
        "crm_project.middleware.BodyLimitMiddleware.__call__",
        lambda self, request: seen.append(request.id) or HttpResponse(),
    )
    assert Client().get("/operators")["X-Request-ID"] == seen[0] == "0" * 32
