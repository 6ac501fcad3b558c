"""Keys: how they are made, kept, found, used and refused."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, OperationalError
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from access.models import ApiKey
from access.services import FORM, create_key, find_key, revoke_key
from access.tests.keys import bearer, make_key
from crm_project.actor import Actor
from crm_project.audit.models import Change
from crm_project.audit.services import changes_of
from operators.models import Operator
from sources.services import delete_source
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
BOSS = Actor("user", "boss")


@pytest.fixture(autouse=True)
def _in_production(settings):
    settings.API_IS_OPEN = False


def code_of(response):
    (error,) = response.json()["errors"]
    return response.status_code, error["code"]


def test_a_key_is_256_random_bits_of_which_the_digest_and_the_beginning_are_kept():
    keys = [make_key() for _ in range(20)]
    assert len({text for _key, text in keys}) == 20
    for key, text in keys:
        assert FORM.fullmatch(text)
        assert text.startswith(f"crm_{key.prefix}_")
        assert len(text.rpartition("_")[2]) * 4 == 256
        stored = ApiKey.objects.filter(pk=key.pk).values().get()
        assert text.rpartition("_")[2] not in str(stored)


def test_no_key_and_no_digest_is_in_what_is_shown_or_written_of_it():
    source = SourceFactory(code="bot")
    key, text = make_key("intake", source)
    revoke_key(key, actor=BOSS)
    shown = f"{key} {key!r} {list(ApiKey.objects.all())} {list(Change.objects.values())}"
    assert key.prefix in shown
    assert text not in shown
    assert text.rpartition("_")[2] not in shown
    assert key.digest not in shown


def test_who_made_and_revoked_it_is_kept():
    key, _ = make_key("intake", SourceFactory(code="bot"), SourceFactory(code="site"), name="Бот")
    assert revoke_key(key, actor=Actor("command", "api_key"))
    assert not revoke_key(key, actor=BOSS)
    revoked, created = changes_of(key)
    assert (created.actor_name, created.fields["name"]) == ("boss", [None, "Бот"])
    assert created.fields["sources"] == [None, "bot, site"]
    assert (revoked.actor_type, list(revoked.fields)) == ("command", ["revoked_at"])


@pytest.mark.parametrize("scope", ["read", "manage"])
def test_only_an_intake_key_has_sources(scope):
    with pytest.raises(ValidationError):
        make_key(scope, SourceFactory())
    with pytest.raises(ValidationError):
        make_key("intake")
    assert not ApiKey.objects.exists()


def test_two_that_are_not_revoked_have_not_one_name():
    first, _ = make_key(name="Бот")
    with pytest.raises(ValidationError) as refused:
        make_key(name="Бот")
    assert list(refused.value.detail) == ["name"]
    revoke_key(first)
    make_key(name="Бот")


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"scope": "all"}, {"expires_at": timezone.now() - timedelta(days=1)}],
)
def test_the_database_refuses_what_no_face_lets_through(wrong):
    fields = {"name": "Бот", "scope": "read", "prefix": "p", "digest": "d"} | wrong
    with pytest.raises(IntegrityError):
        ApiKey.objects.create(**fields)


def test_what_has_expired_before_it_begins_is_refused():
    with pytest.raises(ValidationError):
        make_key(expires_at=timezone.now() - timedelta(seconds=1))


def test_a_race_for_a_name_is_told_and_any_other_fault_is_not_hidden(monkeypatch):
    monkeypatch.setattr("access.services.secrets.token_hex", lambda count: "0" * 2 * count)
    make_key(name="Бот")
    with pytest.raises(IntegrityError):
        make_key(name="Сайт")


def test_a_source_with_a_key_can_be_deleted_and_the_key_then_has_none():
    source = SourceFactory()
    key, _ = make_key("intake", source)
    delete_source(source)
    assert not key.sources.exists()


def test_a_key_is_found_by_one_query_and_what_cannot_be_one_by_none(django_assert_num_queries):
    key, text = make_key()
    with django_assert_num_queries(1):
        assert find_key(text) == key
    with django_assert_num_queries(0):
        for wrong in ("", text[:-1], text + "0", text.upper(), f"{text}\n", text.replace("_", "-")):
            assert find_key(wrong) is None


HOSTILE = [
    "Bearer",
    "Bearer ",
    "bearer x",
    "BEARER crm_",
    "Bearer " + "a" * 100_000,
    "Bearer \0",
    "Bearer crm_0123456789_" + "é" * 64,
    "Bearer \ud800",
    "Bearer a b c",
    "Bearer " + "crm_0123456789_" + "٣" * 64,
]


@pytest.mark.parametrize("header", HOSTILE)
@pytest.mark.parametrize("is_open", [True, False])
def test_what_is_no_key_is_refused_without_a_query(
    client, settings, django_assert_num_queries, header, is_open
):
    settings.API_IS_OPEN = is_open
    with django_assert_num_queries(0):
        response = client.get("/operators", HTTP_AUTHORIZATION=header)
    assert code_of(response) == (401, "invalid_api_key")
    assert response["WWW-Authenticate"] == "Bearer"


def test_each_reason_to_refuse_has_its_code_in_every_language(client):
    expired, expired_text = make_key(expires_at=timezone.now() + timedelta(days=1))
    ApiKey.objects.update(created_at=timezone.now() - timedelta(days=2))
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    revoked, revoked_text = make_key()
    revoke_key(revoked)
    for text, code in [
        (expired_text, "api_key_expired"),
        (revoked_text, "api_key_revoked"),
        ("crm_" + "0" * 10 + "_" + "0" * 64, "invalid_api_key"),
    ]:
        for language in ("ru", "en"):
            response = client.get("/leads", **bearer(text), HTTP_ACCEPT_LANGUAGE=language)
            assert code_of(response) == (401, code)
            assert "crm_" not in response.content.decode()


def test_a_key_is_taken_whatever_the_case_of_bearer(client):
    _, text = make_key()
    for scheme in ("bearer", "BEARER", "Bearer  "):
        assert client.get("/leads", HTTP_AUTHORIZATION=f"{scheme} {text}").status_code == 200


def test_a_key_goes_before_a_session_and_needs_no_csrf_token():
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_superuser("boss"))
    _, read = make_key("read")
    _, manage = make_key("manage", name="Скрипт")
    body = {"name": "Вера"}
    assert client.post("/operators", body, **bearer(read)).status_code == 403
    assert client.post("/operators", body, **bearer("none")).status_code == 401
    assert client.post("/operators", body).status_code == 403
    assert client.post("/operators", body, **bearer(manage)).status_code == 201
    created = changes_of(Operator.objects.get()).get()
    assert (created.actor_type, created.actor_name) == ("api_key", "Скрипт")


def test_a_key_beside_a_session_does_not_sign_what_is_done_in_the_back_office(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    _, text = make_key("read")
    data = {"name": "Вера", "max_active_contacts": 5, "is_active": "on"}
    for prefix in ("assignments", "shifts", "days_off"):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    client.post("/admin/operators/operator/add/", data, **bearer(text))
    assert changes_of(Operator.objects.get()).get().actor_name == "boss"


def test_pages_of_the_back_office_and_probes_take_no_keys(client, django_assert_num_queries):
    _, text = make_key("manage")
    for path, status in [("/admin/", 302), ("/health", 200)]:
        with django_assert_num_queries(0):
            assert client.get(path, **bearer(text)).status_code == status


def test_a_request_costs_one_query_more_and_a_second_once_a_minute(
    client, django_assert_num_queries, time_machine
):
    _, text = make_key()
    time_machine.move_to("2027-01-01 12:00:00Z", tick=False)
    ApiKey.objects.update(created_at=timezone.now())
    for seconds, queries in [(0, 3), (1, 2), (59, 2), (61, 3), (62, 2)]:
        time_machine.move_to(f"2027-01-01 12:{seconds // 60:02}:{seconds % 60:02}Z", tick=False)
        with django_assert_num_queries(queries):  # one of them is the list's
            assert client.get("/contacts", **bearer(text)).status_code == 200
    assert ApiKey.objects.get().last_used_at.second == 1


def test_a_use_that_cannot_be_written_does_not_stop_the_request(client, monkeypatch, caplog):
    key, text = make_key()

    def locked(self, **values):
        raise OperationalError("database is locked")

    monkeypatch.setattr(QuerySet, "update", locked)
    assert client.get("/contacts", **bearer(text)).status_code == 200
    assert key.prefix in caplog.text
    assert text not in caplog.text


def test_an_unused_or_refused_key_has_no_last_use(client):
    key, text = make_key()
    revoke_key(key)
    client.get("/contacts", **bearer(text))
    assert ApiKey.objects.get().last_used_at is None


def test_the_one_who_makes_it_may_be_the_system():
    key = ApiKey(name="Бот", scope="read")
    create_key(key)
    assert key.created_by == ""


@pytest.mark.parametrize("cookies", [{}, {"sessionid": "of nobody"}])
def test_an_answer_depends_on_the_cookie_if_there_is_none_too(client, cookies):
    client.cookies.load(cookies)
    assert "Cookie" in client.get("/sources")["Vary"].split(", ")
