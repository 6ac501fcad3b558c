"""What channels deliver: once per event, and one contact for each conversation."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from contacts import conversations
from contacts.clock import tick
from contacts.conversations import receive
from contacts.merging import merge_leads
from contacts.models import Contact, DecisionRecord, Message, ReceivedEvent
from contacts.services import SourceInactive, change_status
from contacts.tests.factories import ContactFactory
from crm_project.actor import Actor
from crm_project.testing.queries import capture_sql
from leads.models import Lead
from leads.tests.factories import LeadFactory
from sources.channels.protocol import Incoming
from sources.models import Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

HERE, PERSON = Actor("channel", "tg"), "telegram:42"


@pytest.fixture
def source():
    """One that has a contact per conversation, and somebody who answers."""
    return AssignmentFactory(source=SourceFactory(code="tg", reuse_open_contact=True)).source


@pytest.fixture
def say(source):
    """Let somebody write; what came of it."""

    def write(text="", event=None, person=PERSON, **more):
        return receive(source, Incoming(event, person, text, **more), actor=HERE)

    return write


def texts():
    return list(Message.objects.values_list("text", flat=True))


def test_a_first_message_makes_a_contact_of_a_lead_who_is_told_of(say, source):
    received = say("Добрый день", "1", name=" Анна ", phone="+7 900 000-01-02", email="a@b.ru")
    contact = Contact.objects.get()
    assert (received.outcome, received.contact) == ("created", contact)
    assert (contact.source, contact.message, contact.operator is None) == (
        source,
        "Добрый день",
        False,
    )
    lead = contact.lead
    assert (lead.external_id, lead.name, lead.phone) == (PERSON, "Анна", "+7 900 000-01-02")
    assert lead.email == "a@b.ru"
    decision = DecisionRecord.objects.get()
    assert (decision.actor_type, decision.actor_name) == ("channel", "tg")


def test_further_messages_are_added_to_the_open_contact(say):
    contact = say("Добрый день", "1").contact
    sent_at = datetime(2026, 11, 27, 9, tzinfo=UTC)
    received = say("Есть кто?", "2", sent_at=sent_at, phone="+79000000102")
    assert (received.outcome, received.contact) == ("appended", contact)
    message = Message.objects.get()
    assert (message.contact, message.text, message.sent_at) == (contact, "Есть кто?", sent_at)
    assert Contact.objects.count() == 1
    assert Lead.objects.get().phone == "+79000000102"


def test_an_event_that_comes_again_does_nothing(say):
    for event in ("1", "2"):
        assert say("Добрый день", event).outcome != "repeated"
        assert say("Добрый день", event) == conversations.Received("repeated")
    assert (Contact.objects.count(), texts()) == (1, ["Добрый день"])


def test_the_same_id_in_another_source_is_another_event(say):
    say("Добрый день", "1")
    other = SourceFactory()
    assert receive(other, Incoming("1", PERSON)).outcome == "created"


def test_events_without_an_id_are_all_different(say):
    assert [say("раз").outcome, say("раз").outcome] == ["created", "appended"]
    assert not ReceivedEvent.objects.exists()


def test_where_each_message_is_a_matter_of_its_own_each_makes_a_contact(say, source):
    source.reuse_open_contact = False
    assert {say("раз", "1").outcome, say("два", "2").outcome} == {"created"}
    assert say("два", "2").outcome == "repeated"
    assert (Contact.objects.count(), Lead.objects.count(), texts()) == (2, 1, [])


def test_after_the_contact_is_closed_another_one_begins(say):
    first = say("раз", "1").contact
    change_status(first.pk, status="closed")
    received = say("два", "2")
    assert received.outcome == "created"
    assert received.contact.pk != first.pk


def test_open_contacts_of_other_sources_and_leads_are_left_alone(say, source):
    ContactFactory(lead=LeadFactory(external_id=PERSON))
    ContactFactory(source=source)
    assert say("раз").outcome == "created"


def test_of_several_open_contacts_the_newest_goes_on(say, source):
    lead = LeadFactory(external_id=PERSON)
    old = ContactFactory(lead=lead, source=source, created_at=timezone.now() - timedelta(1))
    new = ContactFactory(lead=lead, source=source)
    assert old.pk < new.pk
    assert say("раз").contact == new


def test_who_has_been_merged_goes_on_in_the_contact_of_the_survivor(say):
    contact = say("раз", "1").contact
    survivor = LeadFactory()
    merge_leads(survivor_id=survivor.pk, merged_id=contact.lead_id)
    assert say("два", "2").contact == contact
    assert Lead.objects.count() == 2


def test_a_contact_that_is_closed_at_this_moment_is_let_go_of(say, monkeypatch):
    first = say("раз", "1").contact
    look = conversations._newest_open

    def close_after_looking(lead, source):
        found = look(lead, source)
        if found:
            change_status(found, status="closed")
        return found

    monkeypatch.setattr(conversations, "_newest_open", close_after_looking)
    # Once: it would begin again for as long as it finds the contact closed.
    monkeypatch.setattr(conversations, "settled", lambda attempt: attempt())
    with pytest.raises(conversations.StaleError):
        say("два", "2")
    assert not Message.objects.filter(contact=first).exists()


def test_an_inactive_source_takes_no_new_contact_but_goes_on_with_those_it_has(say, source):
    say("раз", "1")
    source.is_active = False
    assert say("два", "2").outcome == "appended"
    with pytest.raises(SourceInactive):
        say("раз", "3", person="telegram:43")
    # It may be sent again once the source is active.
    assert not Lead.objects.filter(external_id="telegram:43").exists()
    source.is_active = True
    assert say("раз", "3", person="telegram:43").outcome == "created"


def test_what_no_text_may_hold_is_taken_out_and_what_is_too_long_is_cut(say):
    say("a\0b\ud83d", "\0\ud83d", person="x\0" + "y" * 300, name="n" * 300, phone="1" * 99)
    contact = Contact.objects.select_related("lead").get()
    lead = contact.lead
    assert contact.message == "ab"
    assert [len(each) for each in (lead.external_id, lead.name, lead.phone)] == [255, 255, 64]
    say("м" * 10_001, person=lead.external_id)
    assert len(Message.objects.get().text) == 10_000


def test_the_clock_forgets_events_after_a_month(say):
    say("раз", "1")
    say("два", "2")
    ReceivedEvent.objects.filter(pk=conversations._digest(Source.objects.get(), "1")).update(
        created_at=timezone.now() - timedelta(days=31)
    )
    tick()
    assert (say("раз", "1").outcome, say("два", "2").outcome) == ("appended", "repeated")


def test_the_cost_does_not_depend_on_how_much_was_said(say):
    say("раз", "1")
    few = capture_sql(lambda: say("два", "2"))
    for number in range(3, 30):
        say("три", str(number))
    many = capture_sql(lambda: say("четыре", "30"))
    assert len(few) == len(many) <= 10
