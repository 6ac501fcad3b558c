"""An API key is made by hand, copied and used."""

import pytest
from playwright.sync_api import expect

from access.services import find_key
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.usefixtures("boss")
def test_a_key_is_made_copied_and_revoked(sign_in, live_server, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    SourceFactory(name="Бот")
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/access/apikey/add/")
    page.locator("[name=name]").fill("Форма на сайте")
    page.locator("[name=scope][value=intake]").check()
    page.locator(".select2-selection").click()
    page.locator(".select2-results__option", has_text="Бот").click()
    page.locator("[name=_save]").click()
    page.locator("[data-copy]").click()
    expect(page.locator("#copy-status")).not_to_be_empty()
    key = find_key(page.evaluate("navigator.clipboard.readText()"))
    assert [source.name for source in key.sources.all()] == ["Бот"]
    page.goto(f"{live_server.url}/admin/access/apikey/{key.pk}/change/")
    page.locator(".crm-acts a").click()
    page.locator("form.crm-narrow button").click()
    page.wait_for_load_state()
    key.refresh_from_db()
    assert key.revoked_at is not None
