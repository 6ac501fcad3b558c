"""The kind of a source and the settings of its channel over the API."""

import json

import pytest
from django.db import connection
from django.urls import reverse

from access.tests.keys import make_key
from contacts.models import Contact
from crm_project.audit.models import Change
from sources.channels.protocol import Config
from sources.channels.registry import PROTOCOLS
from sources.models import Channel, Source
from sources.services import create_source
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
APP_SECRET = "0123456789abcdef0123456789abcdef"


def make(api, kind, **channel):
    body = {"name": "Бот", "code": f"the_{kind}", "kind": kind}
    response = api.post("/sources", body | ({"channel": channel} if channel else {}))
    assert response.status_code == 201, response.json()
    return response.json()


def patch(api, source, **channel):
    return api.patch(f"/sources/{source['id']}", {"channel": channel})


def refused(response):
    assert response.status_code == 400
    return [each["attr"] for each in response.json()["errors"]]


def stored(source):
    return Channel.objects.get(source=source["id"])


@pytest.mark.parametrize("kind", sorted(PROTOCOLS))
def test_a_source_has_the_secrets_of_its_kind_from_the_start(api, kind):
    channel = make(api, kind)["channel"]
    generated = {each.name for each in PROTOCOLS[kind].secrets if each.generated}
    assert set(channel["new_secrets"]) == generated
    assert all(len(each) == 43 for each in channel["new_secrets"].values())
    assert channel["webhook_url"] == f"http://testserver/sources/the_{kind}/webhook"
    assert set(channel["options"]) == set(PROTOCOLS[kind].options)


def test_a_secret_is_shown_once_and_then_masked(api):
    made = make(api, "telegram")
    secret = made["channel"]["new_secrets"]["secret_token"]
    assert made["channel"]["secrets"] == {"secret_token": f"••••{secret[-4:]}"}
    again = api.get(f"/sources/{made['id']}")
    assert again.json()["channel"]["new_secrets"] == {}
    assert secret not in again.content.decode()
    assert (
        patch(api, made, options={"reply_text": "Спасибо"}).json()["channel"]["new_secrets"] == {}
    )


READY = {
    "vk": {"options": {"confirmation": "a1b2c3d4"}},
    "whatsapp": {"secrets": {"app_secret": APP_SECRET}},
    "widget": {"options": {"allowed_origins": ["https://a.example"]}},
}


@pytest.mark.parametrize("kind", sorted(PROTOCOLS))
def test_what_the_channel_sends_with_these_settings_is_taken(api, kind):
    made = make(api, kind, **READY.get(kind, {}))
    assert made["channel"]["is_ready"]
    secrets = READY.get(kind, {}).get("secrets", {}) | made["channel"]["new_secrets"]
    event = PROTOCOLS[kind].sample(Config(secrets, made["channel"]["options"]))

    def sent():
        kind_of_body = event.headers["content-type"]
        url = made["channel"]["webhook_url"]
        return api.generic("POST", url, event.body, kind_of_body, headers=event.headers).status_code

    assert (sent(), Contact.objects.count()) == (200, 1)
    named = {each.name: None for each in PROTOCOLS[kind].secrets}
    if named:
        patch(api, made, secrets=named)
        assert (sent(), Contact.objects.count()) == (403, 1)


def test_null_makes_a_new_secret_and_takes_away_one_that_is_given_elsewhere(api):
    made = make(api, "whatsapp", secrets={"app_secret": APP_SECRET})
    old = made["channel"]["new_secrets"]["verify_token"]
    channel = patch(api, made, secrets={"verify_token": None, "app_secret": None}).json()["channel"]
    assert channel["new_secrets"]["verify_token"] not in ("", old)
    assert (channel["secrets"]["app_secret"], channel["missing"]) == ("", ["app_secret"])


def test_a_secret_of_ones_own_is_kept_and_not_told_again(api):
    made = make(api, "telegram", secrets={"secret_token": "my_own-secret"})
    assert made["channel"]["new_secrets"] == {}
    assert stored(made).secrets == {"secret_token": "my_own-secret"}


@pytest.mark.parametrize(
    ("kind", "channel", "missing"),
    [
        ("telegram", {}, []),
        ("vk", {}, ["confirmation"]),
        ("vk", {"options": {"confirmation": "a1b2c3d4"}}, []),
        ("whatsapp", {}, ["app_secret"]),
        ("whatsapp", {"secrets": {"app_secret": APP_SECRET}}, []),
        ("email_form", {}, []),
        ("widget", {}, ["allowed_origins"]),
        ("widget", {"options": {"allowed_origins": ["https://a.example"]}}, []),
    ],
)
def test_what_is_missing_is_named(api, kind, channel, missing):
    shown = make(api, kind, **channel)["channel"]
    assert (shown["missing"], shown["is_ready"]) == (missing, not missing)


@pytest.mark.parametrize(
    ("kind", "channel", "attr"),
    [
        ("api", {"secrets": {"token": None}}, "channel.secrets"),
        ("telegram", {"secrets": {"app_secret": "0123456789"}}, "channel.secrets"),
        ("telegram", {"options": {"\ud800": "a"}}, "channel.options"),
        ("telegram", {"secrets": {"\ud800": 7}}, "channel.secrets"),
        ("telegram", {"secrets": {"secret_token": "no blanks"}}, "channel.secrets.secret_token"),
        ("telegram", {"secrets": {"secret_token": "a.b.c.d.e"}}, "channel.secrets.secret_token"),
        ("telegram", {"secrets": {"secret_token": "a" * 257}}, "channel.secrets.secret_token"),
        ("telegram", {"secrets": {"secret_token": "short"}}, "channel.secrets.secret_token"),
        ("telegram", {"secrets": {"secret_token": 12345678}}, "channel.secrets.secret_token"),
        ("telegram", {"secrets": ["secret_token"]}, "channel.secrets"),
        ("telegram", {"options": {"reply_text": "a" * 1001}}, "channel.options.reply_text"),
        ("telegram", {"options": {"reply_text": "\0"}}, "channel.options.reply_text"),
        ("telegram", {"options": {"reply_text": "\ud800"}}, "channel.options.reply_text"),
        ("telegram", {"options": {"reply_text": ["a"]}}, "channel.options.reply_text"),
        ("vk", {"secrets": {"secret": "a" * 51}}, "channel.secrets.secret"),
        ("vk", {"options": {"confirmation": "a" * 101}}, "channel.options.confirmation"),
        ("email_form", {"options": {"fields": "name"}}, "channel.options.fields"),
        ("email_form", {"options": {"fields": {"age": "Age"}}}, "channel.options.fields"),
        ("email_form", {"options": {"fields": {"name": 1}}}, "channel.options.fields"),
        ("widget", {"options": {"privacy_url": "https://"}}, "channel.options.privacy_url"),
        ("widget", {"options": {"privacy_url": "javascript:1"}}, "channel.options.privacy_url"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(api, kind, channel, attr):
    body = {"name": "Бот", "code": "bot", "kind": kind, "channel": channel}
    response = api.post("/sources", json.dumps(body), content_type="application/json")
    assert refused(response) == [attr]
    assert not Source.objects.exists()


@pytest.mark.parametrize(
    "origins",
    [
        "https://a.example",
        ["*"],
        ["https://*.a.example"],
        ["a.example"],
        ["ftp://a.example"],
        ["https://a.example/path"],
        ["https://a.example?query"],
        ["https://user@a.example"],
        ["https://a.example:99999"],
        ["https://[::1"],
        ["https://" + "a" * 64],
        ["https://a.example https://b.example"],
        [None],
        ["https://a.example"] * 21,
    ],
)
def test_what_is_no_list_of_origins_is_refused(api, origins):
    body = {"name": "a", "code": "b", "kind": "widget"}
    response = api.post("/sources", body | {"channel": {"options": {"allowed_origins": origins}}})
    assert refused(response) == ["channel.options.allowed_origins"]


def test_origins_are_kept_as_browsers_send_them(api):
    given = ["HTTPS://Shop.Example:443/", "http://localhost:8080", "https://магазин.рф"]
    given += ["https://shop.example", "http://[::1]:3000"]
    made = make(api, "widget", options={"allowed_origins": given})
    assert made["channel"]["options"]["allowed_origins"] == [
        "https://shop.example",
        "http://localhost:8080",
        "https://xn--80aairftm.xn--p1ai",
        "http://[::1]:3000",
    ]


def test_options_are_changed_one_by_one(api):
    made = make(api, "widget", options={"title": "Спросите", "allowed_origins": ["https://a.ru"]})
    options = patch(api, made, options={"title": None}).json()["channel"]["options"]
    assert options == {"title": None, "allowed_origins": ["https://a.ru"], "privacy_url": None}
    assert stored(made).options == {"allowed_origins": ["https://a.ru"]}


@pytest.mark.parametrize("kind", Source.Kind.values)
def test_messengers_go_on_with_the_open_contact_unless_told(api, kind):
    assert make(api, kind)["reuse_open_contact"] is (kind in ("telegram", "vk", "whatsapp"))
    told = api.post(
        "/sources", {"name": "a", "code": "b", "kind": kind, "reuse_open_contact": False}
    )
    assert told.json()["reuse_open_contact"] is False


def test_another_kind_begins_anew(api):
    made = make(api, "telegram", options={"reply_text": "Спасибо"})
    other = api.patch(f"/sources/{made['id']}", {"kind": "widget"}).json()
    assert (other["reuse_open_contact"], other["channel"]["secrets"]) == (False, {})
    back = api.patch(f"/sources/{made['id']}", {"kind": "telegram"}).json()
    assert (back["reuse_open_contact"], back["channel"]["options"]) == (True, {"reply_text": None})
    assert back["channel"]["new_secrets"] != made["channel"]["new_secrets"]
    assert api.patch(f"/sources/{made['id']}", {"kind": "api"}).json()["channel"] is None
    assert not Channel.objects.exists()


def test_the_same_kind_again_changes_nothing(api):
    made = make(api, "telegram")
    again = api.patch(f"/sources/{made['id']}", {"kind": "telegram", "name": "Другой"}).json()
    assert again["channel"] == made["channel"] | {"new_secrets": {}}


def test_what_was_read_can_be_sent_back_as_a_whole(api):
    made = make(api, "whatsapp", secrets={"app_secret": APP_SECRET})
    before = stored(made).secrets
    shown = api.get(f"/sources/{made['id']}").json()
    again = api.patch(f"/sources/{made['id']}", shown | {"name": "Новое имя"})
    assert (again.status_code, again.json()["name"]) == (200, "Новое имя")
    assert stored(made).secrets == before


def test_sources_are_found_by_kind(api):
    make(api, "vk")
    SourceFactory()
    assert [each["kind"] for each in api.get("/sources?kind=vk").json()["results"]] == ["vk"]
    assert refused(api.get("/sources?kind=fax")) == ["kind"]
    assert refused(api.post("/sources", {"name": "a", "code": "b", "kind": "fax"})) == ["kind"]


def test_who_may_only_read_sees_secrets_masked_and_sets_none(api):
    made = make(api, "telegram")
    _key, text = make_key("read")
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    shown = api.get(f"/sources/{made['id']}").json()["channel"]
    assert shown == made["channel"] | {"new_secrets": {}}
    assert patch(api, made, secrets={"secret_token": None}).status_code == 403


def test_no_secret_stands_in_the_database_or_the_history(api):
    made = make(api, "whatsapp", secrets={"app_secret": APP_SECRET})
    new = patch(api, made, secrets={"verify_token": None, "app_secret": "fedcba9876543210"}).json()
    secrets = [*made["channel"]["new_secrets"].values(), *new["channel"]["new_secrets"].values()]
    assert len(secrets) == 2
    rows = "".join(_rows())
    assert "the_whatsapp" in rows
    assert [each for each in [*secrets, APP_SECRET, "fedcba98"] if each in rows] == []


def _rows():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # names that it gave
            yield str(cursor.fetchall())


def test_the_history_says_what_of_the_channel_changed(api):
    made = make(api, "telegram")
    patch(api, made, secrets={"secret_token": None}, options={"reply_text": "Спасибо"})
    patch(api, made, options={"reply_text": "Спасибо"})
    first, second = Change.objects.order_by("pk").values_list("fields", flat=True)
    assert first["secret_token"] == [None, "set"]
    assert second == {"secret_token": ["set", "changed"], "reply_text": [None, "Спасибо"]}


def test_secrets_of_another_secret_key_are_told_and_can_be_set_anew(api, settings):
    made = make(api, "whatsapp", secrets={"app_secret": APP_SECRET})
    kept = stored(made).kept_secrets
    settings.SECRET_KEY = "another key of the same service, and as long as it should be"
    shown = api.get(f"/sources/{made['id']}").json()["channel"]
    assert (shown["is_ready"], shown["missing"]) == (False, ["verify_token", "app_secret"])
    assert patch(api, made, options={}).status_code == 200
    # That key may come back.
    assert stored(made).kept_secrets == kept
    new = patch(api, made, secrets={"app_secret": APP_SECRET}).json()["channel"]
    assert (new["is_ready"], set(new["new_secrets"])) == (True, {"verify_token"})


def test_a_channel_takes_no_further_query(api, django_assert_num_queries):
    source = create_source(name="a", code="b", kind="telegram")
    with django_assert_num_queries(2):
        api.get(reverse("source-detail", args=[source.pk]))
    with django_assert_num_queries(2):
        assert json.loads(api.get("/sources").content)["results"][0]["kind"] == "telegram"
