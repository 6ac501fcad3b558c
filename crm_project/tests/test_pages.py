"""The pages around the API, and the first look's and production's ways in."""

import re

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.db import OperationalError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from operators.tests.factories import OperatorFactory

pytestmark = pytest.mark.django_db
STATIC = re.compile(r"""{% static ["']([^"']+)["']""")
ELSEWHERE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


@pytest.fixture
def in_production(settings):
    settings.API_IS_OPEN = False


def superuser():
    return get_user_model().objects.create_superuser("boss", password="secret")


def test_every_file_that_a_page_names_is_there():
    templates = [
        *django_settings.BASE_DIR.glob("*/templates/**/*.html"),
        *django_settings.BASE_DIR.glob("*/*/templates/**/*.html"),
    ]
    named = {name for each in templates for name in STATIC.findall(each.read_text())}
    assert "crm_project/copy.js" in named
    assert [name for name in sorted(named) if finders.find(name) is None] == []


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/admin/login/"])
def test_a_page_asks_no_other_host(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert not ELSEWHERE.search(response.content.decode())


@pytest.mark.parametrize(("language", "words"), [("ru", "Рабочее место"), ("en", "Back office")])
def test_the_first_page_speaks_the_language_of_the_reader(client, language, words):
    OperatorFactory(name="<b>Анна</b>")
    page = client.get("/", headers={"accept-language": language}).content.decode()
    assert words in page
    assert "&lt;b&gt;Анна" in page


def test_health_asks_no_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_ready_is_ok_with_all_migrations(client):
    assert client.get("/health/ready").json() == {"status": "ok"}


def test_ready_is_a_503_while_migrations_lack(client, monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: ["one"])
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (
        503,
        "migrations_missing",
    )


def test_ready_is_a_503_while_the_database_is_gone(client, monkeypatch):
    def gone(self, connection):
        raise OperationalError("password=secret")

    monkeypatch.setattr(MigrationExecutor, "__init__", gone)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert "secret" not in response.content.decode()


def test_openapi_names_every_path_of_the_contract(client):
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {
        "/operators",
        "/operators/{id}",
        "/operators/{id}/release",
        "/sources",
        "/sources/{id}",
        "/sources/{id}/preview",
        "/sources/{code}/webhook",
        "/assignments",
        "/assignments/{operator_id}/{source_id}",
        "/contacts",
        "/contacts/{id}",
        "/contacts/bulk",
        "/contacts/{id}/history",
        "/contacts/{id}/messages",
        "/contacts/{id}/status",
        "/contacts/{id}/reassign",
        "/leads",
        "/leads/{id}",
        "/stats",
        "/stats/sources/{id}",
        "/webhooks",
        "/webhooks/{id}",
        "/webhooks/{id}/rotate-secret",
        "/webhooks/{id}/test",
        "/webhooks/{id}/deliveries",
        "/webhooks/{id}/deliveries/{delivery_id}/resend",
    }
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert {"401", "405", "429", "503"} <= set(operation["responses"]), (path, method)


@pytest.mark.usefixtures("in_production")
class TestProduction:
    @pytest.mark.parametrize("path", ["/operators", "/contacts", "/leads", "/stats", "/"])
    def test_nothing_is_shown_to_who_is_not_signed_in(self, client, path):
        assert client.get(path).status_code == 401

    def test_a_user_without_rights_is_refused(self, client):
        client.force_login(get_user_model().objects.create_user("clerk", is_staff=True))
        assert client.get("/operators").status_code == 403
        assert client.get("/").status_code == 401

    def test_a_password_is_no_credential_of_the_api(self, client):
        superuser()
        headers = {"authorization": "Basic Ym9zczpzZWNyZXQ="}
        assert client.get("/operators", headers=headers).status_code == 401
        client.login(username="boss", password="secret")
        assert client.get("/operators").status_code == 200
        assert client.get("/").status_code == 200

    @pytest.mark.parametrize(
        "path", ["/health", "/health/ready", "/docs", "/redoc", "/openapi.json"]
    )
    def test_some_pages_are_for_everybody(self, client, path):
        assert client.get(path).status_code == 200


def test_the_default_is_not_debug_and_on_loopback():
    assert not django_settings.DEBUG
    assert "*" not in django_settings.ALLOWED_HOSTS


@pytest.mark.parametrize(
    ("path", "status"), [("/admin/nowhere/", 404), ("/admin/auth/group/add/", 403)]
)
def test_what_is_not_there_or_not_allowed_is_said_in_russian_with_a_way_back(
    client, django_user_model, path, status
):
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    page = client.get(path)
    assert page.status_code == status
    assert "К началу" in page.content.decode()


def test_a_form_that_is_out_of_date_is_refused_in_words_for_people():
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "anna"})
    assert answer.status_code == 403
    assert "Форма устарела" in answer.content.decode()
    assert "DEBUG" not in answer.content.decode()
