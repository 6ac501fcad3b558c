"""A real browser at the back office: Debian's Chromium, headless, in Russian."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD = "a long password for a test"

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session", autouse=True)
def _queries_beside_a_loop():
    """Playwright's own loop runs in the thread of the test."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    if CHROMIUM is None:
        pytest.fail("Chromium is not installed. On Debian and Ubuntu: apt install chromium")
    return browser_type_launch_args | {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}


@pytest.fixture
def browser_context_args(browser_context_args):
    return browser_context_args | {
        "locale": "ru-RU",
        "timezone_id": "Europe/Moscow",
        "viewport": {"width": 1366, "height": 768},
    }


@pytest.fixture
def troubles():
    """What the browser complained of, and every request to another host: none, in the end."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def page(page, live_server, troubles):
    """A page that tells the troubles it has."""

    def told(message):
        if message.type in ("error", "warning"):
            troubles.append(f"{page.url}: {message.text}")

    def asked(request):
        if not request.url.startswith((live_server.url, "data:", "blob:")):
            troubles.append(f"{page.url}: asks {request.url}")

    page.on("console", told)
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    page.on("request", asked)
    page.set_default_timeout(15_000)
    return page


@pytest.fixture
def sign_in(page, live_server):
    """Sign in by the form as that user; return the page one comes to."""

    def signed_in(username):
        page.goto(f"{live_server.url}/admin/")
        page.locator("[name=username]").fill(username)
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[type=submit]").click()
        page.wait_for_load_state()
        return page

    return signed_in


@pytest.fixture
def boss():
    return get_user_model().objects.create_superuser("boss", password=PASSWORD)


@pytest.fixture
def violations(page, live_server, troubles):
    """The serious and critical violations that axe-core finds on a page of the back office."""

    def found(path):
        page.goto(f"{live_server.url}/admin{path}")
        said = len(troubles)
        rows = Axe().run(page).response["violations"]
        # What axe-core itself makes the browser say is none of ours.
        del troubles[said:]
        return [
            f"{path}: {each['id']}: {node['html'][:150]}"
            for each in rows
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    return found
