"""Signing in: who guesses passwords is not listened to, and nobody else is shut out."""

import logging
import threading

import pytest
import time_machine
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db import OperationalError
from django.test import Client

from crm_project.testing.threads import at_once
from operators.tests.people import make_lead

pytestmark = pytest.mark.django_db
LOGIN, PASSWORD = "/admin/login/", "correct-horse-7"
ELSEWHERE = "192.0.2.7"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2026-11-26 12:00:00Z", tick=False) as clock:
        yield clock


@pytest.fixture
def anna():
    return get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)


@pytest.fixture
def looked_at(monkeypatch):
    """The names whose passwords were looked at."""
    seen = []
    original = ModelBackend.authenticate

    def noted(self, request, username=None, password=None, **others):
        seen.append(username)
        return original(self, request, username, password, **others)

    monkeypatch.setattr(ModelBackend, "authenticate", noted)
    return seen


def sign_in(client, name="anna", password=PASSWORD, address="192.0.2.1", **extra):
    form = {"username": name, "password": password}
    return client.post(LOGIN, form, REMOTE_ADDR=address, **extra)


def fail(client, times, name="anna", address="192.0.2.1"):
    return [sign_in(client, name, "wrong", address).status_code for _ in range(times)]


@pytest.mark.usefixtures("anna")
def test_after_five_failures_no_password_is_looked_at_not_even_the_right_one(client, looked_at):
    assert fail(client, 7) == [200] * 5 + [429] * 2
    assert looked_at == ["anna"] * 5
    assert sign_in(client).status_code == 429
    assert "sessionid" not in client.cookies
    assert looked_at == ["anna"] * 5


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize(
    ("language", "first", "last"),
    [
        ("en", "Try again in 15 minutes.", "Try again in 1 minute."),
        ("ru", "через 15 минут.", "через 1 минуту."),
    ],
)
def test_the_form_says_in_minutes_when_to_try_again(client, clock, language, first, last):
    fail(client, 5)
    headers = {"accept-language": language}
    answer = sign_in(client, headers=headers)
    assert (answer.status_code, answer["Retry-After"]) == (429, "900")
    assert first in answer.content.decode()
    clock.shift(15 * 60 - 20)
    answer = sign_in(client, headers=headers)
    assert answer["Retry-After"] == "20"
    assert last in answer.content.decode()


@pytest.mark.usefixtures("anna")
def test_who_waits_as_told_is_listened_to_again(client, clock):
    fail(client, 5)
    clock.shift(int(sign_in(client)["Retry-After"]) - 1)
    assert sign_in(client).status_code == 429
    clock.shift(1.1)
    assert fail(client, 4) == [200] * 4
    assert sign_in(client).status_code == 302


@pytest.mark.usefixtures("anna")
def test_a_stranger_elsewhere_shuts_nobody_out(client):
    fail(client, 9, address=ELSEWHERE)
    assert sign_in(client).status_code == 302


@pytest.mark.usefixtures("anna")
def test_one_customer_with_many_networks_is_one_stranger(client):
    for number in range(20):
        fail(client, 5, address=f"2001:db8:88:{number:x}::1")
    assert sign_in(client, address="192.0.2.5").status_code == 302


@pytest.mark.usefixtures("anna")
def test_another_one_at_the_same_address_is_not_shut_out(client):
    fail(client, 9, name="boris")
    assert sign_in(client).status_code == 302


@pytest.mark.usefixtures("anna")
def test_who_tries_many_names_from_one_address_is_stopped(client, looked_at):
    failures = [fail(client, 1, name=f"user{each}")[0] for each in range(52)]
    assert failures == [200] * 50 + [429] * 2
    assert sign_in(client).status_code == 429
    assert len(looked_at) == 50
    assert sign_in(client, address=ELSEWHERE).status_code == 302


@pytest.mark.usefixtures("anna")
def test_who_guesses_one_password_from_many_addresses_is_stopped(client):
    failures = [fail(client, 1, address=f"192.0.2.{each}")[0] for each in range(102)]
    assert failures == [200] * 100 + [429] * 2


@pytest.mark.usefixtures("anna")
def test_the_right_password_forgives_the_failures_of_that_name_there(client, clock):
    for _ in range(3):
        assert fail(client, 4) == [200] * 4
        assert sign_in(client).status_code == 302
    # Not those of the address, of which there were 12: else who has a name could guess others'.
    others = [fail(client, 1, name=f"user{each}")[0] for each in range(39)]
    assert others == [200] * 38 + [429]


@pytest.mark.usefixtures("anna")
def test_signing_in_over_and_over_costs_nothing(client):
    assert {sign_in(client).status_code for _ in range(120)} == {302}


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("name", ["ANNA", "  anna  ", "ａｎｎａ", "Ａnna"])
def test_a_name_is_the_same_however_it_is_written(client, name):
    fail(client, 5, name=name)
    assert sign_in(client).status_code == 429


@pytest.mark.parametrize("name", ["an\0na", "a" * 100_000, "\udcff", "", "\u202e", "😀" * 200])
def test_no_name_breaks_it(client, name):
    body = f"username={name}&password=wrong".encode(errors="surrogatepass")
    form = "application/x-www-form-urlencoded"
    statuses = [client.post(LOGIN, body, content_type=form).status_code for _ in range(6)]
    assert statuses[0] == 200
    assert set(statuses) <= {200, 429}


def test_who_is_there_and_who_is_not_are_told_the_same(client, anna, looked_at):
    get_user_model().objects.create_user("gone", password=PASSWORD, is_active=False)
    get_user_model().objects.create_user("client", password=PASSWORD)
    pages = []
    for name, password in [
        ("anna", "wrong"),
        ("nobody", "wrong"),
        ("gone", PASSWORD),
        ("client", PASSWORD),
    ]:
        answers = [sign_in(Client(), name, password) for _ in range(6)]
        assert [each.status_code for each in answers] == [200] * 5 + [429]
        pages.append([each.context["form"].non_field_errors() for each in (answers[0], answers[5])])
    assert len({str(each) for each in pages}) == 1
    assert [looked_at.count(name) for name in ("anna", "nobody")] == [5, 5]


def test_a_name_that_is_not_there_costs_one_hash_as_well(client, anna, monkeypatch):
    hashed = []
    monkeypatch.setattr(
        "django.contrib.auth.hashers.MD5PasswordHasher.encode",
        lambda self, password, salt: hashed.append(password) or "md5$x$y",
    )
    fail(client, 1)
    there = len(hashed)
    fail(client, 1, name="nobody")
    assert there == len(hashed) - there == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("anna")
def test_many_at_once_get_no_further_than_one_after_another(looked_at):
    meet = threading.Barrier(16)

    def attempt():
        client = Client()
        meet.wait()
        return fail(client, 2)

    results, errors = at_once([attempt] * 16, 16)
    assert errors == []
    assert len(looked_at) == 5
    assert sum(each == 200 for pair in results for each in pair) == 5


@pytest.mark.usefixtures("anna")
def test_a_database_that_is_away_is_nobodys_failure(client, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError

    client.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(ModelBackend, "authenticate", away)
        assert all(each >= 500 for each in fail(client, 6))
    assert sign_in(client).status_code == 302


@pytest.mark.usefixtures("anna")
def test_a_lock_is_logged_once_and_names_nobody(client, caplog):
    caplog.set_level(logging.DEBUG)
    fail(client, 9)
    ours = [each for each in caplog.records if each.name == "crm_project.signing_in"]
    assert [each.levelname for each in ours] == ["WARNING"]
    assert not any(word in ours[0].getMessage() for word in ("anna", "192.0.2.1", "wrong"))


@pytest.mark.usefixtures("anna")
def test_where_nothing_can_be_counted_one_can_still_sign_in(client, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.COUNTERS_FILE = tmp_path / "file" / "counters.sqlite3"
    fail(client, 6)
    assert sign_in(client).status_code == 302


@pytest.mark.usefixtures("anna")
def test_signing_in_changes_the_key_of_the_session(client):
    before = client.session
    before["seen"] = True
    before.save()
    client.cookies["sessionid"] = before.session_key
    assert sign_in(client).status_code == 302
    assert client.cookies["sessionid"].value != before.session_key
    # Whoever had put it there is not let in by it.
    other = Client()
    other.cookies["sessionid"] = before.session_key
    assert other.get("/admin/my/").status_code == 302


@pytest.mark.usefixtures("anna")
def test_a_session_is_dead_once_signed_out(client):
    sign_in(client)
    stolen = client.cookies["sessionid"].value
    assert client.get("/admin/my/").status_code != 302
    client.post("/admin/logout/")
    thief = Client()
    thief.cookies["sessionid"] = stolen
    assert thief.get("/admin/my/").status_code == 302


@pytest.mark.usefixtures("anna")
def test_the_cookie_is_for_no_script_and_no_other_site_and_lasts_a_working_day(client):
    cookie = sign_in(client).cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert 12 * 3600 <= cookie["max-age"] < 24 * 3600


def test_a_changed_password_ends_all_other_sessions(client, anna):
    other = Client()
    sign_in(client)
    sign_in(other)
    new = "another-horse-8"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/admin/password_change/", form).status_code == 302
    assert client.get("/admin/my/").status_code != 302
    assert other.get("/admin/my/").status_code == 302
    assert authenticate(username="anna", password=new) == anna


def test_a_password_set_by_a_team_lead_ends_the_sessions_of_that_user(client, anna):
    sign_in(client)
    lead = Client()
    lead.force_login(make_lead())
    form = {"usable_password": "true", "password1": "another-8-horse"}
    form["password2"] = form["password1"]
    assert lead.post(f"/admin/auth/user/{anna.pk}/password/", form).status_code == 302
    assert client.get("/admin/my/").status_code == 302


def test_who_may_no_longer_sign_in_is_out_at_once(client, anna):
    sign_in(client)
    get_user_model().objects.filter(pk=anna.pk).update(is_active=False)
    assert client.get("/admin/my/").status_code == 302
