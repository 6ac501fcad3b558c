"""Connecting a channel in the back office, in a real browser."""

import pytest

from sources.channels.registry import PROTOCOLS
from sources.models import Channel, Source
from sources.services import create_source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASTED = "() => navigator.clipboard.readText()"


@pytest.mark.usefixtures("boss")
def test_a_bot_is_set_up_and_its_secret_copied(sign_in, live_server, context):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/sources/source/add/")
    page.locator("[name=name]").fill("Бот")
    page.locator("[name=code]").fill("bot")
    page.locator("[name=kind]").select_option("telegram")
    page.locator("[name=_save]").click()
    page.locator("[data-copy=new-secret_token]").click()
    page.locator("#copy-status", has_text="Скопирован").wait_for()
    secret = Channel.objects.get().secrets["secret_token"]
    assert page.evaluate(PASTED) == secret
    page.locator("[data-copy=channel-address]").click()
    page.wait_for_function(f"({PASTED})().then((text) => text.startsWith('http'))")
    assert page.evaluate(PASTED) == f"{live_server.url}/sources/bot/webhook"

    page.goto(f"{live_server.url}/admin/sources/source/{Source.objects.get().pk}/change/")
    assert secret not in page.content()
    page.locator("[name=option-reply_text]").fill("Спасибо!\nСкоро ответим.")
    page.locator("[name=_continue]").click()
    page.wait_for_load_state()
    assert page.locator("[name=option-reply_text]").input_value() == "Спасибо!\nСкоро ответим."


@pytest.mark.parametrize(("scheme", "width"), [("light", 1366), ("dark", 390)])
@pytest.mark.usefixtures("boss")
def test_the_pages_of_channels_have_no_serious_violation(sign_in, violations, scheme, width):
    page = sign_in("boss")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    sources = [create_source(name=kind, code=kind, kind=kind) for kind in PROTOCOLS]
    paths = [f"/sources/source/{each.pk}/change/" for each in sources]
    assert [each for path in ["/sources/source/", *paths] for each in violations(path)] == []
