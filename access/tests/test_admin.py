"""API keys in the back office."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from access.models import ApiKey
from access.services import FORM, revoke_key
from access.tests.keys import bearer, make_key
from crm_project.audit.services import changes_of
from operators.tests.people import make_lead, make_operator, make_user
from operators.tests.permissions import allow
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
LIST, REVOKE = "/admin/access/apikey/", "/admin/access/apikey/revoke/"
NEW = {"name": "Бот", "scope": "manage", "valid_for": "90"}


@pytest.fixture
def office(client):
    client.force_login(make_lead())
    return client


def key_in(page):
    [text] = {match.group() for match in FORM.finditer(page.content.decode())}
    return text


def test_a_new_key_is_shown_once_and_works(office, settings):
    made = office.post(f"{LIST}add/", NEW)
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    text = key_in(made)
    key = ApiKey.objects.get()
    assert timedelta(days=89) < key.expires_at - timezone.now() < timedelta(days=91)
    settings.API_IS_OPEN = False
    office.logout()
    assert office.get("/contacts", **bearer(text)).status_code == 200


def test_it_is_never_shown_again_and_lies_nowhere(office):
    text = key_in(office.post(f"{LIST}add/", NEW))
    key = ApiKey.objects.get()
    secret = text.rpartition("_")[2]
    pages = [LIST, f"{LIST}{key.pk}/change/", f"{LIST}{key.pk}/history/", "/admin/audit/change/"]
    for path in (*pages, f"{REVOKE}?ids={key.pk}", "/admin/"):
        page = office.get(path).content.decode()
        assert secret not in page
        assert key.digest not in page
    assert not [each for each in Session.objects.all() if secret in str(each.get_decoded())]
    assert secret not in str(office.cookies)


def test_an_intake_key_names_its_sources(office):
    source = SourceFactory(code="bot", name="Бот в Telegram")
    made = office.post(f"{LIST}add/", NEW | {"scope": "intake", "sources": [source.pk]})
    assert key_in(made)
    key = ApiKey.objects.get()
    assert list(key.sources.all()) == [source]
    assert "Бот в Telegram" in office.get(LIST).content.decode()
    [change] = changes_of(key)
    assert change.fields["sources"] == [None, "bot"]
    assert change.actor_name == key.created_by == "lead"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"scope": "intake"}, "sources"),
        ({"scope": "read", "sources": "{source}"}, "sources"),
        ({"name": ""}, "name"),
        ({"name": "Есть"}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"scope": "all"}, "scope"),
        ({"valid_for": "1000"}, "valid_for"),
        ({"valid_for": ""}, "valid_for"),
        ({"sources": "999999"}, "sources"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_makes_no_key(office, wrong, field):
    make_key(name="Есть")
    source = SourceFactory()
    data = {name: value.format(source=source.pk) for name, value in (NEW | wrong).items()}
    page = office.post(f"{LIST}add/", data)
    assert page.status_code == 200
    assert field in page.context["adminform"].form.errors
    assert ApiKey.objects.count() == 1


def test_sending_the_form_twice_makes_one_key(office):
    office.post(f"{LIST}add/", NEW)
    again = office.post(f"{LIST}add/", NEW)
    assert list(again.context["adminform"].form.errors) == ["name"]


def test_a_key_without_end(office):
    office.post(f"{LIST}add/", NEW | {"valid_for": "0"})
    assert ApiKey.objects.get().expires_at is None


def test_it_is_revoked_after_a_question(office, settings):
    key, text = make_key("manage")
    settings.API_IS_OPEN = False
    page = office.post(LIST, {"action": "revoke", "_selected_action": [key.pk]}, follow=True)
    assert page.request["PATH_INFO"] == REVOKE
    assert key.name in page.content.decode()
    assert office.get(f"{LIST}{key.pk}/change/").content.decode().count(REVOKE) == 1
    assert office.get("/stats", **bearer(text)).status_code == 200
    done = office.post(f"{REVOKE}?ids={key.pk}", follow=True)
    assert len(done.context["messages"]) == 1
    assert office.get("/stats", **bearer(text)).status_code == 401
    assert REVOKE not in office.get(f"{LIST}{key.pk}/change/").content.decode()
    assert changes_of(key).first().actor_name == "lead"


def test_sources_are_found_by_a_part_of_their_names(office):
    bot = SourceFactory(name="Бот в Telegram")
    SourceFactory(name="Сайт")
    query = "app_label=access&model_name=apikey&field_name=sources&term=бот"
    found = office.get(f"/admin/autocomplete/?{query}").json()["results"]
    assert [each["id"] for each in found] == [str(bot.pk)]


@pytest.mark.parametrize("ids", ["", "0", "x", "999999", "9" * 40])
def test_what_is_not_there_cannot_be_revoked(office, ids):
    assert office.post(f"{REVOKE}?ids={ids}").status_code == 404


def test_nothing_of_a_key_can_be_changed_or_deleted(office):
    key, _ = make_key("read", name="Бот")
    path = f"{LIST}{key.pk}"
    assert office.post(f"{path}/change/", NEW | {"name": "Другой"}).status_code == 403
    assert office.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
    data = {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"}
    office.post(LIST, data)
    assert ApiKey.objects.get().name == "Бот"


def test_nobody_gets_more_by_a_key_than_he_or_she_has(client):
    key, _ = make_key()
    right = [f"access.{each}_apikey" for each in ("view", "add", "change", "delete")]
    clerk = allow(make_user("clerk"), *right)
    for user in (clerk, make_operator("Анна").user):
        client.force_login(user)
        assert client.post(f"{LIST}add/", NEW).status_code == 403
        assert client.post(f"{REVOKE}?ids={key.pk}").status_code == 403
    assert ApiKey.objects.get().revoked_at is None


@pytest.mark.parametrize("state", ["valid", "expired", "revoked"])
def test_the_list_tells_and_filters_by_state(office, state, django_assert_max_num_queries):
    past = timezone.now() - timedelta(days=2)
    keys = {
        "valid": make_key("intake", SourceFactory())[0],
        "expired": make_key(created_at=past, expires_at=past + timedelta(days=1))[0],
        "revoked": make_key(created_at=past, expires_at=past + timedelta(days=1))[0],
    }
    revoke_key(keys["revoked"])
    found = office.get(f"{LIST}?state={state}")
    assert list(found.context["cl"].result_list) == [keys[state]]
    with django_assert_max_num_queries(9) as few:
        assert len(office.get(LIST).context["cl"].result_list) == 3
    for _ in range(20):
        make_key("intake", SourceFactory())
    with django_assert_max_num_queries(len(few)):
        office.get(LIST)


def test_the_history_tells_keys_by_their_names(office):
    key, text = make_key("manage", name="Скрипт ночи")
    office.post("/operators", {"name": "Вера"}, "application/json", **bearer(text))
    page = office.get("/admin/audit/change/").content.decode()
    assert "Скрипт ночи" in page
    revoke_key(key)
    assert office.get(f"{LIST}{key.pk}/history/").status_code == 200
