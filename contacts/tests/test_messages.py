"""What a lead wrote further: told by the API, on the contact's page and on that of its operator."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contacts import message_serializers
from contacts.models import Message
from contacts.tests.factories import ContactFactory
from operators.tests.people import make_operator

pytestmark = pytest.mark.django_db


def say(contact, text, minutes=1):
    sent_at = contact.created_at + timedelta(minutes=minutes)
    return Message.objects.create(contact=contact, text=text, sent_at=sent_at)


def told(api, contact):
    answer = api.get(f"/contacts/{contact.pk}/messages")
    assert (answer.status_code, list(answer.json())) == (200, ["results"])
    return [(each["id"], each["text"]) for each in answer.json()["results"]]


@pytest.fixture
def contact():
    return ContactFactory(message="раз")


def test_it_begins_with_what_made_the_contact(api, contact):
    assert told(api, contact) == [(None, "раз")]
    (first,) = api.get(f"/contacts/{contact.pk}/messages").json()["results"]
    assert (
        first["sent_at"]
        == first["created_at"]
        == api.get("/contacts").json()["results"][0]["created_at"]
    )


def test_further_messages_are_in_the_order_in_which_they_were_sent(api, contact):
    third, second = say(contact, "три", 2), say(contact, "два", 1)
    say(ContactFactory(), "чужое")
    assert told(api, contact) == [(None, "раз"), (second.pk, "два"), (third.pk, "три")]


def test_a_contact_that_nothing_was_written_for_has_none(api):
    contact = ContactFactory()
    assert told(api, contact) == []
    further = say(contact, "потом")
    assert told(api, contact) == [(further.pk, "потом")]


def test_of_very_many_the_newest_are_told(api, contact, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("contacts.views.MOST_MESSAGES", 3)
    for number in range(5):
        say(contact, str(number), number)
    with django_assert_num_queries(2):
        assert [text for _, text in told(api, contact)] == ["раз", "2", "3", "4"]
    assert message_serializers.MOST_MESSAGES == 1000


def test_they_are_for_who_may_see_the_contact(client, contact):
    anna = make_operator("Анна")
    own = ContactFactory(operator=anna, message="моё")
    client.force_login(anna.user)
    assert client.get(f"/contacts/{own.pk}/messages").status_code == 200
    assert client.get(f"/contacts/{contact.pk}/messages").status_code == 404
    assert client.get("/contacts/999/messages").status_code == 404
    assert client.get(f"/contacts/{'9' * 30}/messages").status_code == 404


def test_without_a_credential_they_are_told_to_nobody(api, contact, settings):
    settings.API_IS_OPEN = False
    assert api.get(f"/contacts/{contact.pk}/messages").status_code == 401


def test_the_page_of_the_contact_shows_them_the_newest_at_the_bottom(admin_client, contact):
    page = f"/admin/contacts/contact/{contact.pk}/change/"
    assert "Переписка" not in (alone := admin_client.get(page).content.decode())
    assert "conversation-title" not in alone
    say(contact, "<b>три</b>", 2)
    say(contact, "два", 1)
    shown = admin_client.get(page).content.decode()
    _, _, conversation = shown.partition('id="conversation-title"')
    conversation, _, _ = conversation.partition("</section>")
    places = [conversation.index(each) for each in ("раз", "два", "&lt;b&gt;три&lt;/b&gt;")]
    assert places == sorted(places)


def test_the_page_of_the_contact_costs_the_same_however_long_they_are(
    admin_client, contact, django_assert_max_num_queries
):
    for number in range(50):
        say(contact, str(number), number)
    with django_assert_max_num_queries(15):
        admin_client.get(f"/admin/contacts/contact/{contact.pk}/change/")


def test_an_operator_sees_that_there_are_more(client):
    anna = make_operator("Анна")
    quiet, talking = (ContactFactory(operator=anna, message="раз") for _ in range(2))
    for number in range(3):
        say(talking, str(number))
    client.force_login(anna.user)
    cards = client.get("/admin/my/").context["cards"]
    assert {each.contact: each.further for each in cards} == {quiet: 0, talking: 3}
    shown = client.get("/admin/my/cards/").content.decode()
    assert shown.count("#conversation-title") == 1
    # So that the page takes it in when it refreshes itself.
    assert 'data-version="new 3"' in shown


def test_messages_of_others_do_not_count(client):
    anna = make_operator("Анна")
    ContactFactory(operator=anna)
    say(ContactFactory(created_at=timezone.now()), "чужое")
    client.force_login(anna.user)
    assert [each.further for each in client.get("/admin/my/").context["cards"]] == [0]
