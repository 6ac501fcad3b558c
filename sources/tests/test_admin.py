"""A source's page in the back office: weights with their shares, who is next, how to connect."""

import re

import pytest

from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import serve
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def page(client, source):
    return client.get(f"/admin/sources/source/{source.pk}/change/").content.decode()


def shares(html):
    found = re.findall(r'crm-share" data-available="(\w*)" data-others="\d*">([^<]+)<', html)
    return [(bool(available), text.replace("\xa0", " ")) for available, text in found]


def test_beside_each_weight_stands_the_share_that_it_gives_now(admin_client):
    source = SourceFactory()
    serve(source, name="Анна", weight=3)
    serve(source, name="Борис", weight=1)
    serve(source, name="Вера", weight=9, is_active=False)
    found = shares(page(admin_client, source))
    assert found[:3] == [(True, "75,0 %"), (True, "25,0 %"), (False, "—")]


def test_who_is_next_is_shown_with_the_chances_and_who_is_passed_over(admin_client):
    source = SourceFactory()
    serve(source, name="Анна", weight=3)
    full = serve(source, name="Борис", max_active_contacts=1)
    ContactFactory(operator=full)
    shown = " ".join(re.sub(r"<[^>]+>", " ", page(admin_client, source)).split())
    assert "Анна 100,0 % 0 из 10" in shown
    assert "Пропущены: Борис: занято 1 из 1." in shown


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"is_active": False}, "источник выключен"),
        ({}, "Взять его некому"),
    ],
)
def test_why_nobody_is_next_is_said(admin_client, source, words):
    assert words in page(admin_client, SourceFactory(**source))


def test_a_queue_comes_first(admin_client):
    contact = ContactFactory()
    AssignmentFactory(source=contact.source)
    assert "Сначала те, кто уже ждёт" in page(admin_client, contact.source)


def test_the_page_says_how_to_send_contacts_here(admin_client):
    shown = page(admin_client, SourceFactory(code="vk-main"))
    assert "curl -X POST http://testserver/contacts" in shown
    assert '"source_code": "vk-main"' in shown


def test_the_queries_do_not_grow_with_the_operators(admin_client, django_assert_max_num_queries):
    source = SourceFactory()
    for _ in range(30):
        serve(source)
    with django_assert_max_num_queries(20):
        page(admin_client, source)
