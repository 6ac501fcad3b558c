"""What channels deliver at the same moment, on PostgreSQL; with the controls that show the race."""

import threading

import pytest
from django.db import transaction
from django.db.models import QuerySet

from contacts import conversations
from contacts.conversations import receive
from contacts.erasing import erase_lead
from contacts.merging import merge_leads
from contacts.models import Contact, Message, ReceivedEvent
from contacts.services import SourceInactive, change_status
from contacts.tests.factories import ContactFactory
from crm_project.testing.threads import at_once, until_somebody_waits
from leads.models import Lead
from leads.tests.factories import LeadFactory
from sources.channels.protocol import Incoming
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PERSON = "telegram:42"


@pytest.fixture
def source():
    source = SourceFactory(code="tg", reuse_open_contact=True)
    return AssignmentFactory(source=source, operator__max_active_contacts=1000).source


def messages(source, number, person=PERSON):
    """So many of one person, each with an event of its own."""
    return [
        lambda each=each: receive(source, Incoming(str(each), person, f"{each}"))
        for each in range(number)
    ]


def outcomes(results):
    return sorted(each.outcome for each in results)


def test_first_messages_at_once_make_one_contact(source):
    for person in ("telegram:1", "telegram:2", "telegram:3"):
        results, errors = at_once(
            [
                lambda each=each, person=person: receive(
                    source, Incoming(f"{person} {each}", person, "раз")
                )
                for each in range(16)
            ],
            16,
        )
        assert errors == []
        assert outcomes(results) == ["appended"] * 15 + ["created"]
    assert (Contact.objects.count(), Message.objects.count()) == (3, 45)


def test_without_the_lock_of_the_lead_they_would_make_two(source, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    Lead.objects.create(external_id=PERSON)
    both_have_looked = threading.Barrier(2)
    look = conversations._newest_open

    def look_together(lead, source):
        found = look(lead, source)
        both_have_looked.wait(timeout=10)
        return found

    def unlocked(profiles, *, now):
        return {each.external_id: each for each in Lead.objects.filter(external_id__in=profiles)}

    monkeypatch.setattr(conversations, "find_or_create_leads", unlocked)
    monkeypatch.setattr(conversations, "_newest_open", look_together)
    results, errors = at_once(messages(source, 2), 2)
    assert errors == []
    assert outcomes(results) == ["created", "created"]


@pytest.mark.parametrize("reuse", [True, False])
def test_one_event_delivered_16_times_at_once_does_one_thing(source, reuse):
    source.reuse_open_contact = reuse
    event = Incoming("1", PERSON, "раз")
    results, errors = at_once([lambda: receive(source, event)] * 16, 16)
    assert errors == []
    assert outcomes(results) == ["created"] + ["repeated"] * 15
    assert (Contact.objects.count(), ReceivedEvent.objects.count()) == (1, 1)


def test_without_the_insert_that_comes_first_it_would_do_two(source, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    source.reuse_open_contact = False
    both_have_looked = threading.Barrier(2)

    def look_then_insert(source, event_id, now):
        key = conversations._digest(source, event_id)
        known = ReceivedEvent.objects.filter(key=key).exists()
        both_have_looked.wait(timeout=10)
        ReceivedEvent.objects.bulk_create([ReceivedEvent(key=key)], ignore_conflicts=True)
        return not known

    monkeypatch.setattr(conversations, "_claim", look_then_insert)
    event = Incoming("1", PERSON, "раз")
    results, errors = at_once([lambda: receive(source, event)] * 2, 2)
    assert errors == []
    assert outcomes(results) == ["created", "created"]


def test_the_second_deals_with_an_event_that_the_first_could_not(source, monkeypatch):
    first = threading.Lock()
    create = conversations.create_contact

    def create_or_fail(*args, **how):
        if first.acquire(blocking=False):
            until_somebody_waits()
            raise SourceInactive
        return create(*args, **how)

    monkeypatch.setattr(conversations, "create_contact", create_or_fail)
    results, errors = at_once([lambda: receive(source, Incoming("1", PERSON))] * 2, 2)
    assert [type(each) for each in errors] == [SourceInactive]
    assert outcomes(results) == ["created"]


@pytest.mark.parametrize("as_merging_did", [True, False])
def test_who_writes_by_a_merged_id_waits_for_an_erasing_and_it_for_them(
    source, monkeypatch, as_merging_did
):
    merged, survivor = LeadFactory(external_id=PERSON), LeadFactory()
    merge_leads(survivor_id=survivor.pk, merged_id=merged.pk)
    holds_the_lead = threading.Event()
    look = conversations._newest_open

    def look_slowly(lead, source):
        holds_the_lead.set()
        until_somebody_waits()
        return look(lead, source)

    def erase():
        holds_the_lead.wait(timeout=10)
        # Both rows, in order of ids: the one that was merged comes first.
        return erase_lead(survivor.pk, close=True)

    monkeypatch.setattr(conversations, "_newest_open", look_slowly)
    if not as_merging_did:
        # As if the id were the lead's own: the short way locks the merged row last.
        monkeypatch.setattr(
            conversations,
            "create_contacts",
            lambda many, **how: [conversations.create_contact(each, **how) for each in many],
        )
    _done, errors = at_once([lambda: receive(source, Incoming("1", PERSON)), erase], 2)
    deadlocks = [each for each in errors if "deadlock" in str(each)]
    assert bool(deadlocks) != as_merging_did


def test_a_message_that_meets_the_closing_of_its_contact_makes_another_one(source):
    contact = receive(source, Incoming("1", PERSON, "раз")).contact

    def close():
        with transaction.atomic():
            change_status(contact.pk, status="closed")
            until_somebody_waits()

    results, errors = at_once([close, lambda: receive_later(source)], 2)
    assert errors == []
    assert results[1].outcome == "created"
    assert not Message.objects.exists()


def receive_later(source):
    """Once the contact is locked by whoever closes it."""
    while True:
        with transaction.atomic():
            free = Contact.objects.select_for_update(skip_locked=True, no_key=True)
            if not free.filter(closed_at=None).exists():
                break
    return receive(source, Incoming("2", PERSON, "два"))


def test_messages_closings_and_merges_all_at_once_lose_nothing(source):
    people = [LeadFactory(external_id=f"telegram:{number}") for number in range(4)]
    calls = []
    for number in range(120):
        person = people[number % 4]
        calls.append(
            lambda number=number, person=person: receive(
                source, Incoming(str(number), person.external_id, str(number))
            )
        )
        if number % 3 == 0:
            calls.append(close_one)
    calls.insert(100, lambda: merge_leads(survivor_id=people[0].pk, merged_id=people[1].pk))
    _, errors = at_once(calls, 16)
    assert errors == []
    said = [*Contact.objects.values_list("message", flat=True)]
    said += Message.objects.values_list("text", flat=True)
    assert sorted(said, key=int) == [str(number) for number in range(120)]
    assert not Contact.objects.filter(lead=people[1]).exists()


def close_one():
    if contact := Contact.objects.filter(closed_at=None).order_by("pk").first():
        change_status(contact.pk, status="closed")


def test_the_lead_is_locked_before_its_contact(source, monkeypatch):
    locked = []
    lock = QuerySet.select_for_update

    def note_and_lock(rows, **how):
        locked.append((rows.model, how.get("no_key", False)))
        return lock(rows, **how)

    monkeypatch.setattr(QuerySet, "select_for_update", note_and_lock)
    ContactFactory(lead=LeadFactory(external_id=PERSON), source=source)
    assert receive(source, Incoming("1", PERSON)).outcome == "appended"
    assert locked == [(Lead, True), (Contact, True)]
