"""The settings of a source's channel in the back office."""

import re
from html import unescape

import pytest

from sources.channels.registry import PROTOCOLS
from sources.models import Channel, Source
from sources.services import create_source

pytestmark = pytest.mark.django_db
APP_SECRET = "0123456789abcdef0123456789abcdef"
ADD = "/admin/sources/source/add/"
WEIGHTS = {"assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0}
NEW = {"name": "Бот", "code": "bot", "is_active": "on", "strategy": "weighted_random"}
NEW |= {"response_handovers": 2} | WEIGHTS


@pytest.fixture
def source(request):
    return create_source(name="Бот", code="bot", kind=getattr(request, "param", "telegram"))


def address(source):
    return f"/admin/sources/source/{source.pk}/change/"


def page(client, source):
    return client.get(address(source)).content.decode()


def form(client, source):
    """What the page's form would send."""
    shown = client.get(address(source)).context["adminform"].form
    sent = {}
    for each in shown:
        if each.value() not in (None, False):
            sent[each.html_name] = "on" if each.value() is True else each.value()
        if each.field.show_hidden_initial:
            sent[each.html_initial_name] = each.field.prepare_value(each.initial) or ""
    return sent | WEIGHTS


def save(client, source, **changes):
    return client.post(address(source), form(client, source) | changes)


def kept(source):
    return Channel.objects.get(source=source)


def errors(response):
    return {
        name: [str(each) for each in found]
        for name, found in response.context["adminform"].form.errors.items()
    }


@pytest.mark.parametrize("kind", sorted(PROTOCOLS))
def test_a_new_source_shows_its_secrets_once(admin_client, kind):
    response = admin_client.post(ADD, NEW | {"kind": kind})
    source = Source.objects.get()
    secrets = kept(source).secrets
    if not secrets:
        assert response.url == address(source)
        return
    shown = response.content.decode()
    assert all(each in shown for each in secrets.values())
    assert "http://testserver/sources/bot/webhook" in shown
    assert "no-store" in response["Cache-Control"]
    again = page(admin_client, source)
    assert not [each for each in secrets.values() if each in again]
    assert f"••••{next(iter(secrets.values()))[-4:]}" in again


def test_a_source_of_the_api_has_no_channel(admin_client):
    assert admin_client.post(ADD, NEW | {"kind": "api"}).status_code == 302
    shown = page(admin_client, Source.objects.get())
    assert ("channel-title" in shown, 'name="option-' in shown) == (False, False)


@pytest.mark.parametrize(("kind", "reuses"), [("vk", True), ("api", False)])
def test_a_new_source_goes_on_with_the_open_contact_as_its_kind_does(admin_client, kind, reuses):
    admin_client.post(ADD, NEW | {"kind": kind})
    assert Source.objects.get().reuse_open_contact is reuses


def test_options_are_saved_and_shown_again(admin_client, source):
    assert (
        save(admin_client, source, **{"option-reply_text": "Спасибо!\r\nЖдите"}).status_code == 302
    )
    assert kept(source).options == {"reply_text": "Спасибо!\nЖдите"}
    assert save(admin_client, source, name="Другой").status_code == 302
    assert kept(source).options == {"reply_text": "Спасибо!\nЖдите"}
    assert "Спасибо!" in page(admin_client, source)


@pytest.mark.parametrize("source", ["email_form"], indirect=True)
def test_the_names_of_a_forms_fields_are_saved_together(admin_client, source):
    save(admin_client, source, **{"field-name": "Имя", "field-phone": "Tel"})
    save(admin_client, source, **{"field-name": ""})
    assert kept(source).options == {"fields": {"phone": "Tel"}}


@pytest.mark.parametrize("source", ["widget"], indirect=True)
def test_sites_are_given_one_a_line(admin_client, source):
    save(
        admin_client,
        source,
        **{"option-allowed_origins": "https://A.example/\r\nhttps://b.example"},
    )
    assert kept(source).options == {"allowed_origins": ["https://a.example", "https://b.example"]}
    wrong = save(admin_client, source, **{"option-allowed_origins": "a.example"})
    assert list(errors(wrong)) == ["option-allowed_origins"]
    assert "/sources/bot/widget.js" in unescape(page(admin_client, source))


@pytest.mark.parametrize("source", ["whatsapp"], indirect=True)
def test_a_secret_that_is_pasted_is_never_shown(admin_client, source):
    response = save(admin_client, source, **{"secret-app_secret": APP_SECRET})
    assert response.status_code == 302
    assert kept(source).secrets["app_secret"] == APP_SECRET
    shown = page(admin_client, source)
    assert (APP_SECRET in shown, f"••••{APP_SECRET[-4:]}" in shown) == (False, True)
    wrong = save(admin_client, source, **{"secret-app_secret": "no blanks"})
    assert list(errors(wrong)) == ["secret-app_secret"]
    # Empty: it stays.
    save(admin_client, source, name="Другой")
    assert kept(source).secrets["app_secret"] == APP_SECRET


def test_a_new_secret_is_made_on_demand(admin_client, source):
    before = kept(source).secrets["secret_token"]
    response = save(admin_client, source, **{"renew-secret_token": "on"})
    after = kept(source).secrets["secret_token"]
    assert after != before
    assert after in response.content.decode()


def test_another_kind_begins_anew_and_the_former_ones_fields_do_not_matter(admin_client, source):
    response = save(admin_client, source, kind="vk", **{"option-reply_text": "Спасибо"})
    assert kept(source).secrets["secret"] in response.content.decode()
    assert (kept(source).options, set(kept(source).secrets)) == ({}, {"secret"})
    assert 'name="option-confirmation"' in page(admin_client, source)


def test_another_kind_in_the_form_goes_on_with_the_open_contact_as_it_does(admin_client, source):
    assert save(admin_client, source, kind="widget").status_code == 302
    source.refresh_from_db()
    assert (source.kind, source.reuse_open_contact) == ("widget", False)


def test_a_form_that_fails_still_shows_the_fields_it_had(admin_client, source):
    response = save(admin_client, source, kind="vk", name="")
    assert (response.status_code, list(errors(response))) == (200, ["name"])
    assert 'name="option-reply_text"' in response.content.decode()


def test_what_somebody_else_set_meanwhile_is_not_undone(admin_client, source):
    stale = form(admin_client, source) | {"option-reply_text": "моё"}
    save(admin_client, source, **{"option-reply_text": "чужое"})
    response = admin_client.post(address(source), stale)
    assert list(errors(response)) == ["option-reply_text"]
    assert kept(source).options == {"reply_text": "чужое"}


@pytest.mark.parametrize("source", ["whatsapp"], indirect=True)
def test_under_another_secret_key_the_page_says_so_and_takes_new_secrets(
    admin_client, source, settings
):
    shown = form(admin_client, source)
    # That of the session stays: nobody else is to be signed out here.
    settings.SECRET_KEY_FALLBACKS = []
    old = kept(source).kept_secrets
    Channel.objects.update(kept_secrets=old[:-8] + "AAAAAAA=")
    assert "SECRET_KEY" in page(admin_client, source)
    shown |= {"renew-verify_token": "on", "secret-app_secret": APP_SECRET}
    assert admin_client.post(address(source), shown).status_code == 200
    assert kept(source).secrets["app_secret"] == APP_SECRET


def test_the_history_says_what_changed_and_tells_no_secret(admin_client, source):
    save(admin_client, source, **{"renew-secret_token": "on", "option-reply_text": "Спасибо"})
    history = admin_client.get(address(source).replace("change", "history")).content.decode()
    assert "Спасибо" in history
    assert kept(source).secrets["secret_token"] not in history


def test_an_export_has_the_kind_and_no_secret(admin_client, source):
    secret = kept(source).secrets["secret_token"]
    sheet = b"".join(admin_client.get("/admin/sources/source/export/csv/")).decode()
    assert ("Telegram" in sheet, secret in sheet) == (True, False)


def test_the_list_shows_the_kind(admin_client, source):
    listed = admin_client.get("/admin/sources/source/?kind__exact=telegram").content.decode()
    assert re.search(r"crm-kind.*</span>Telegram", listed)


def test_the_dashboard_names_a_channel_that_is_not_ready(admin_client, source):
    assert "channel_not_ready" not in admin_client.get("/admin/dashboard/").content.decode()
    create_source(name="Группа", code="vk", kind="vk")
    assert "channel_not_ready" in admin_client.get("/admin/dashboard/").content.decode()
