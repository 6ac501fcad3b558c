"""A contact's page in the back office: what became of it, its buttons, whom to hand it to."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from contacts.models import Contact
from contacts.services import change_status, reassign_contact
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from crm_project.actor import Actor
from operators.tests.factories import OperatorFactory
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
BASE = "/admin/contacts/contact"


def text(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def told(response):
    return [str(message) for message in response.context["messages"]]


def page(client, contact):
    return client.get(f"{BASE}/{contact.pk}/change/")


def test_the_timeline_tells_who_got_it_with_what_chance_and_who_was_passed_over(admin_client):
    source = SourceFactory()
    serve(source, name="Анна", weight=1)
    serve(source, name="Вера", weight=2)
    full = serve(source, name="Борис", max_active_contacts=1)
    ContactFactory(operator=full)
    contact, _ = arrive(source, draw=lambda: 0.0)
    change_status(contact.pk, status="in_progress", actor=Actor("user", "olga"))
    shown = text(page(admin_client, contact))
    assert "Получает Анна: выбор по жребию с вероятностью 33,3 %" in shown
    assert "Пропущены: Борис: занято 1 из 1." in shown
    assert "новое → в работе" in shown
    assert "olga" in shown


def test_the_timeline_goes_on_when_the_operators_are_gone_or_renamed(admin_client):
    source = SourceFactory()
    anna = serve(source, name="Анна")
    contact, _ = arrive(source)
    boris = OperatorFactory(name="Борис", max_active_contacts=1)
    ContactFactory(operator=boris)
    reassign_contact(contact.pk, operator_id=boris.pk, force=True, actor=Actor("user", "olga"))
    anna.assignments.all().delete()
    anna.name = "Другая"
    anna.save()
    shown = text(page(admin_client, contact))
    assert "Получает Анна" in shown
    assert "Передано по выбору человека: Борис. Сверх лимита, принудительно." in shown
    assert "Другая" not in shown


def test_a_waiting_contact_says_why_it_waits(admin_client):
    contact, _ = arrive(SourceFactory())
    shown = text(page(admin_client, contact))
    assert "у источника нет операторов" in shown


def test_the_buttons_are_those_that_the_status_allows(admin_client):
    contact = ContactFactory(operator=OperatorFactory())

    def offered():
        return re.findall(r"/do/(\w+)/", page(admin_client, contact).content.decode())

    assert offered() == ["take", "close", "reassign"]
    admin_client.post(f"{BASE}/{contact.pk}/do/take/")
    assert offered() == ["close", "reassign"]
    response = admin_client.post(f"{BASE}/{contact.pk}/do/close/", follow=True)
    assert told(response)[0].startswith(f"{contact}: закрыто")
    assert offered() == ["reopen"]


@pytest.mark.parametrize("path", ["do/close/", "do/nothing/"])
def test_nothing_is_done_by_following_a_link(admin_client, path):
    contact = ContactFactory()
    assert admin_client.get(f"{BASE}/{contact.pk}/{path}").status_code == 404
    assert Contact.objects.get().status == "new"


def test_nothing_else_is_called_closing(admin_client):
    shown = text(page(admin_client, ContactFactory(status="closed")))
    assert "Закрыть" not in shown


def test_an_unknown_contact_or_deed_is_not_found(admin_client):
    contact = ContactFactory()
    assert admin_client.post(f"{BASE}/{contact.pk}/do/nothing/").status_code == 404
    assert admin_client.post(f"{BASE}/{contact.pk + 1}/do/close/").status_code == 404


def test_the_list_offers_what_can_be_done_with_several(admin_client):
    ContactFactory()
    shown = admin_client.get(f"{BASE}/").content.decode()
    assert all(f'<option value="{name}"' in shown for name in ["take", "close", "reassign_to"])


def test_who_may_only_look_gets_no_buttons_and_does_nothing(client):
    user = get_user_model().objects.create_user("looker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_contact"))
    client.force_login(user)
    contact = ContactFactory()
    assert "/do/" not in page(client, contact).content.decode()
    assert client.post(f"{BASE}/{contact.pk}/do/close/").status_code == 403
    assert client.get(f"{BASE}/reassign_to/?ids={contact.pk}").status_code == 403


def test_several_are_handed_to_one_operator_up_to_the_limit(admin_client):
    source = SourceFactory()
    first, second = ContactFactory.create_batch(2, source=source)
    boris = serve(source, name="Борис", max_active_contacts=1)
    data = {"action": "reassign_to", "_selected_action": [first.pk, second.pk]}
    choosing = admin_client.post(f"{BASE}/", data, follow=True)
    address = choosing.redirect_chain[-1][0]
    assert "Борис" in text(choosing)
    response = admin_client.post(address, {"operator": boris.pk}, follow=True)
    assert told(response) == [
        f"{first}: Передано по выбору человека: Борис.",
        f"{second}: Оператор занят до предела: чтобы передать, отметьте «И сверх лимита».",
    ]
    assert boris.contacts.count() == 1
    admin_client.post(address, {"operator": boris.pk, "force": "on"})
    assert boris.contacts.count() == 2


def test_those_of_the_source_are_offered_first_and_the_inactive_not_at_all(admin_client):
    contact = ContactFactory()
    OperatorFactory(name="Чужая")
    serve(contact.source, name="Своя")
    OperatorFactory(name="Выключенная", is_active=False)
    shown = text(admin_client.get(f"{BASE}/reassign_to/?ids={contact.pk}"))
    assert shown.index("Своя") < shown.index("Чужая")
    assert "Чужая 0 из 10, не назначен на источник" in shown
    assert "Выключенная" not in shown


@pytest.mark.parametrize("data", [{}, {"operator": "x"}, {"operator": "999999"}])
def test_without_an_operator_nothing_is_handed_over(admin_client, data):
    contact = ContactFactory()
    response = admin_client.post(f"{BASE}/reassign_to/?ids={contact.pk}", data)
    assert 'role="alert"' in response.content.decode()


@pytest.mark.parametrize("ids", ["", "x", "9" * 40, "1,,2", "%00"])
def test_nothing_to_hand_over_is_not_found(admin_client, ids):
    assert admin_client.get(f"{BASE}/reassign_to/?ids={ids}").status_code in (400, 404)


def test_the_queries_do_not_grow_with_the_history(admin_client, django_assert_max_num_queries):
    contact = ContactFactory(operator=OperatorFactory())
    for status in ["in_progress", "closed", "new"] * 5:
        change_status(contact.pk, status=status)
    with django_assert_max_num_queries(14):
        page(admin_client, contact)


def test_what_nobody_took_in_time_is_marked_and_can_be_listed(admin_client):
    late = ContactFactory(operator=OperatorFactory(name="Анна"), escalated_at=timezone.now())
    ContactFactory()
    assert "Никто не взял вовремя" in text(page(admin_client, late))
    listed = admin_client.get(f"{BASE}/?escalated=yes")
    assert [each.pk for each in listed.context["cl"].result_list] == [late.pk]
    assert "не взято вовремя" in text(listed)
