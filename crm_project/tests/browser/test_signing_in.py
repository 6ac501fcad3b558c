"""The form by which one signs in, after too many failures."""

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1366), ("dark", 390)])
def test_a_locked_form_says_when_to_try_again(page, live_server, troubles, scheme, width):
    get_user_model().objects.create_user("anna", password="right", is_staff=True)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{live_server.url}/admin/login/")
    for _ in range(6):
        page.locator("[name=username]").fill("anna")
        page.locator("[name=password]").fill("wrong")
        page.locator("[type=submit]").click()
        page.wait_for_load_state()
    expect(page.get_by_text("Попробуйте снова через 15 минут.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # The status of the last answer, of which the browser tells.
    assert "429" in troubles.pop()
