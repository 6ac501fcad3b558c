"""What happens on the pages that change while one looks, and on a phone."""

import json
import urllib.request

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from playwright.sync_api import expect

from contacts.models import Contact
from contacts.tests.scenes import arrive, serve
from crm_project.tests.browser.conftest import PASSWORD
from operators.models import Operator
from operators.roles import OPERATOR, TEAM_LEAD
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def groups():
    """Those that a migration makes; each of these tests leaves the database empty."""
    return {name: Group.objects.get_or_create(name=name)[0] for name in (TEAM_LEAD, OPERATOR)}


@pytest.fixture
def source():
    return SourceFactory(code="bot", name="Бот")


@pytest.fixture
def anna(source):
    return serve(source, name="Анна")


@pytest.fixture
def annas_phone(sign_in, anna, groups):
    """Her own page, on a phone."""
    user = get_user_model().objects.create_user("anna", password=PASSWORD, is_staff=True)
    user.groups.add(groups[OPERATOR])
    rights = ("view_contact", "change_contact", "view_lead")
    groups[OPERATOR].permissions.set(Permission.objects.filter(codename__in=rights))
    Operator.objects.filter(pk=anna.pk).update(user=user)

    def opened():
        page = sign_in("anna")
        page.set_viewport_size({"width": 390, "height": 844})
        return page

    return opened


def write(live_server, **inquiry):
    """A bot reports an inquiry, from outside."""
    body = json.dumps({"source_code": "bot", "lead_external_id": "tg:7"} | inquiry).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{live_server.url}/contacts", body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.mark.usefixtures("boss", "anna")
def test_the_overview_shows_what_comes_in_without_a_reload(sign_in, live_server):
    page = sign_in("boss")
    page.evaluate("window.notReloaded = true")
    expect(page.get_by_text("0 / 10")).to_be_visible()
    write(live_server)
    expect(page.get_by_text("1 / 10")).to_be_visible()
    assert page.evaluate("window.notReloaded")


def test_an_operator_takes_and_closes_and_gets_the_next_one(annas_phone, source, anna, live_server):
    Operator.objects.filter(pk=anna.pk).update(max_active_contacts=1)
    first, _ = arrive(source, "lead:1")
    second, _ = arrive(source, "lead:2")
    page = annas_phone()
    expect(page.get_by_role("heading", name="Анна")).to_be_visible()
    page.get_by_role("button", name="Взять").click()
    page.get_by_role("button", name="Закрыть").click()
    expect(page.get_by_text(str(second)).first).to_be_visible()
    assert Contact.objects.get(pk=first.pk).status == "closed"
    assert Contact.objects.get(pk=second.pk).operator == anna
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_operator_sees_what_comes_in_and_returns_it(annas_phone, source, live_server):
    page = annas_phone()
    write(live_server, message="Срочно!")
    expect(page.get_by_text("Срочно!")).to_be_visible(timeout=20_000)
    boris = serve(source, name="Борис")
    page.get_by_role("button", name="Вернуть в очередь").click()
    expect(page.get_by_text("Борис").first).to_be_visible()
    assert Contact.objects.get().operator == boris


def test_an_operator_accepts_no_more_and_again(annas_phone, anna):
    page = annas_phone()
    page.get_by_role("switch", name="Принимаю").click()
    expect(page.get_by_role("switch", name="Не принимаю")).to_be_visible()
    anna.refresh_from_db()
    assert not anna.is_active


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_operators_page_has_no_serious_violation(annas_phone, source, violations, scheme):
    arrive(source)
    page = annas_phone()
    page.emulate_media(color_scheme=scheme)
    assert violations("/my/") == []


@pytest.mark.usefixtures("boss", "anna")
def test_a_file_is_checked_shown_and_imported(sign_in, live_server, tmp_path):
    file = tmp_path / "clients.csv"
    file.write_text("lead_external_id;source_code;message\nf:1;bot;Привет\nf:2;nowhere;Ой\n")
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/contacts/contact/import/")
    page.locator("input[type=file]").set_input_files(file)
    page.locator("form[enctype] [type=submit]").first.click()
    expect(page.get_by_text("Такого источника нет").first).to_be_visible()
    page.get_by_role("button", name="Загрузить 1 строку").click()
    expect(page.get_by_text("Импорт завершён.")).to_be_visible()
    assert [contact.message for contact in Contact.objects.all()] == ["Привет"]
