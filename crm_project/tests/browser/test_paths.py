"""The main paths of a team lead's day, by hand and eye."""

import re

import pytest
from playwright.sync_api import expect

from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from sources.models import Assignment
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
pytestmark += [pytest.mark.usefixtures("boss")]


def test_a_weight_is_changed_and_the_shares_follow_while_typing(sign_in, live_server):
    source = SourceFactory(name="ВК")
    serve(source, name="Анна", weight=1)
    serve(source, name="Борис", weight=1)
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/sources/source/{source.pk}/change/")
    shares = page.locator(".crm-share")
    expect(shares.nth(0)).to_have_text(re.compile(r"50,0.%"))
    page.locator("[name=assignments-0-weight]").fill("3")
    expect(shares.nth(0)).to_have_text(re.compile(r"75,0.%"))
    expect(shares.nth(1)).to_have_text(re.compile(r"25,0.%"))
    page.get_by_role("button", name="Сохранить", exact=True).click()
    expect(page.get_by_text("Сохранено: источник «ВК».")).to_be_visible()
    assert list(Assignment.objects.order_by("pk").values_list("weight", flat=True)) == [3, 1]


def test_an_operator_is_released_from_the_list(sign_in, live_server):
    source = SourceFactory()
    anna = serve(source, name="Анна")
    contact, _ = arrive(source)
    boris = serve(source, name="Борис")
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/operators/operator/")
    page.locator(f"input.action-select[value='{anna.pk}']").check()
    page.locator("select[name=action]").select_option("release")
    page.get_by_role("button", name="Выполнить").click()
    expect(page.get_by_text("Анна: освобождено 1: Борис — 1")).to_be_visible()
    contact.refresh_from_db()
    assert contact.operator == boris


def test_a_contact_is_taken_closed_and_its_timeline_tells(sign_in, live_server):
    source = SourceFactory()
    serve(source, name="Анна")
    contact, _ = arrive(source)
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/contacts/contact/")
    page.get_by_role("link", name=str(contact)).click()
    page.get_by_role("button", name="Взять в работу").click()
    page.get_by_role("button", name="Закрыть").click()
    expect(page.get_by_role("button", name="Открыть снова")).to_be_visible()
    timeline = page.locator(".crm-timeline")
    expect(timeline).to_contain_text("Получает Анна: других свободных нет")
    expect(timeline).to_contain_text("новое → в работе")
    expect(timeline).to_contain_text("в работе → закрыто")
    expect(timeline).to_contain_text("boss")


def test_contacts_are_handed_to_a_chosen_operator(sign_in, live_server):
    contact = ContactFactory()
    boris = serve(contact.source, name="Борис")
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/contacts/contact/{contact.pk}/change/")
    page.get_by_role("link", name="Передать оператору").click()
    page.get_by_label("Борис").check()
    page.get_by_role("button", name="Передать").click()
    expect(page.get_by_text("Передано по выбору человека: Борис.").first).to_be_visible()
    contact.refresh_from_db()
    assert contact.operator == boris


def test_the_list_is_narrowed_by_its_filters_and_by_search(sign_in, live_server):
    ContactFactory(message="Щи горячие", lead__name="Щукин")
    ContactFactory(message="Прочее", status="closed")
    page = sign_in("boss")
    page.goto(f"{live_server.url}/admin/contacts/contact/?q=щук")
    expect(page.locator("#result_list")).to_contain_text("Щукин")
    expect(page.locator("#result_list")).not_to_contain_text("Прочее")
    page.goto(f"{live_server.url}/admin/contacts/contact/?status__exact=closed")
    expect(page.locator("#result_list")).to_contain_text("Прочее")
    expect(page.locator("#result_list")).not_to_contain_text("Щукин")
