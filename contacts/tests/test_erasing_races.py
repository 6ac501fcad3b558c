"""Erasing while others write for the same person: all of it or nothing, and nobody is left half."""

import io
import threading
from contextlib import suppress
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from contacts import erasing, import_runs, locks
from contacts.erasing import HasOpenContacts, erase_lead, erase_silent_leads
from contacts.import_rows import LEADS
from contacts.import_runs import advance, read_in
from contacts.invariants import check_all
from contacts.merging import merge_leads
from contacts.models import Contact, IdempotencyKey
from contacts.services import change_status
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrival_amid, arrive, serve
from contacts.tests.sheets import csv_file
from crm_project.actor import Actor
from crm_project.errors import Busy, Conflict
from crm_project.testing.threads import at_once, elsewhere, until_somebody_waits
from leads.models import Lead
from leads.services import LeadIsErased, update_lead
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def breaches():
    return [each.breaches for each in check_all(records=100, pause=lambda: None) if each.breaches]


@pytest.fixture
def anna():
    lead = LeadFactory(external_id="tg:77", name="Анна", phone="+79000000102")
    ContactFactory(lead=lead, status="closed", message="дачный")
    return lead


@pytest.fixture
def slow_erasure(monkeypatch):
    """An erasure stops, all being locked and nothing written, until somebody waits for it."""
    locked = threading.Event()

    def erase(*args):
        if not locked.is_set():
            locked.set()
            until_somebody_waits()
        return real(*args)

    real = erasing._erase
    monkeypatch.setattr(erasing, "_erase", erase)
    return locked


@pytest.fixture
def amid(slow_erasure, anna):
    """What a call comes to that begins while Anna's data are being erased: its results, errors."""

    def run(call):
        def late():
            slow_erasure.wait(timeout=10)
            return call()

        results, errors = at_once([lambda: erase_lead(anna.pk), late], 2)
        return results[1:], errors

    return run


def test_an_arrival_that_waited_makes_somebody_new(amid, anna):
    source = SourceFactory()
    [(contact, _)], errors = amid(lambda: arrive(source, "tg:77"))
    assert errors == []
    assert contact.lead_id != anna.pk
    assert Lead.objects.get(external_id="tg:77").pk == contact.lead_id
    assert not breaches()


def test_without_the_lock_its_contact_would_be_that_of_an_erased_lead(anna, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    assert _arrival_amid_erasure(anna, monkeypatch, locking=False) == anna.pk
    assert breaches()


def test_an_erasure_waits_for_an_arrival_that_has_found_the_lead(anna, monkeypatch):
    with pytest.raises(HasOpenContacts):
        _arrival_amid_erasure(anna, monkeypatch, locking=True)
    assert Lead.objects.get().name == "Анна"


def _arrival_amid_erasure(anna, monkeypatch, *, locking):
    """The lead of a contact whose arrival had found Anna just before she was erased."""
    change = partial(erase_lead, anna.pk)
    for error in arrival_amid(change, "tg:77", monkeypatch, locking=locking):
        raise error
    return Contact.objects.latest("pk").lead_id


def test_a_profile_edit_that_waited_is_refused(amid, anna):
    _, errors = amid(lambda: update_lead(anna, name="Анна Щукина"))
    assert [type(each) for each in errors] == [LeadIsErased]
    assert Lead.objects.get().name == ""


def test_a_merge_that_waited_is_refused(amid, anna):
    other = LeadFactory()
    _, errors = amid(lambda: merge_leads(survivor_id=other.pk, merged_id=anna.pk))
    assert [type(each) for each in errors] == [LeadIsErased]
    assert not Lead.objects.filter(merged_into__isnull=False).exists()


def test_a_contact_that_somebody_would_reopen_stays_closed(amid, anna):
    contact = anna.contacts.get()
    _, errors = amid(lambda: change_status(contact.pk, status="new"))
    assert [type(each) for each in errors] == [LeadIsErased]
    assert not breaches()


def erase_amid_a_reopening(lead):
    """Somebody has reopened a contact without a message, and has not ended yet."""
    contact = ContactFactory(lead=lead, status="closed")
    with transaction.atomic():
        change_status(contact.pk, status="new")
        return elsewhere(lambda: erase_lead(lead.pk))


def test_a_contact_that_somebody_is_reopening_makes_the_erasure_give_up(anna, monkeypatch):
    monkeypatch.setattr(locks, "ATTEMPTS", 2)
    with pytest.raises(Busy):
        erase_amid_a_reopening(anna)
    assert Lead.objects.get().name == "Анна"
    assert not breaches()


def test_without_its_lock_the_contact_would_be_open_at_an_erased_lead(anna, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    def trusting(leads):
        return Contact.objects.filter(lead__in=leads)

    monkeypatch.setattr(erasing, "lock_contacts_of", trusting)
    assert erase_amid_a_reopening(anna).people == 1
    assert breaches()


def import_amid_erasure(anna, monkeypatch, *, locking):
    """Rows of Anna's are read, to be imported next, when her data are to be erased."""
    reading, done = threading.Event(), threading.Event()
    content = csv_file(["external_id", "name"], ["tg:77", "Анна"])
    user = get_user_model().objects.create_user("boss")
    run = read_in(io.BytesIO(content), kind=LEADS, file_name="a.csv", user=user)
    real = import_runs.check

    def check(*args):
        reading.set()
        if locking:
            until_somebody_waits()
        else:
            done.wait(timeout=10)
        return real(*args)

    def erase():
        reading.wait(timeout=10)
        erase_lead(anna.pk)
        done.set()

    monkeypatch.setattr(import_runs, "check", check)
    if not locking:
        monkeypatch.setattr(erasing, "lock_unfinished_imports", list)
    _, errors = at_once([lambda: advance(run.pk, actor=Actor("user", "boss")), erase], 2)
    return errors


def test_an_erasure_waits_for_a_part_that_is_being_imported(anna, monkeypatch):
    assert import_amid_erasure(anna, monkeypatch, locking=True) == []
    assert not Lead.objects.filter(external_id="tg:77").exists()


def test_without_the_lock_of_the_import_she_would_be_back(anna, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    assert import_amid_erasure(anna, monkeypatch, locking=False) == []
    assert Lead.objects.filter(external_id="tg:77").exists()


def test_leads_from_a_file_that_came_amid_an_erasure_are_new(amid, anna):
    content = csv_file(["external_id", "name"], ["tg:77", "Анна"])
    user = get_user_model().objects.create_user("boss")

    def late():
        run = read_in(io.BytesIO(content), kind=LEADS, file_name="a.csv", user=user)
        return advance(run.pk, actor=Actor("user", "boss"))

    [run], errors = amid(late)
    assert errors == []
    assert run.outcomes == {"new": 1}
    assert Lead.objects.get(external_id="tg:77").pk != anna.pk


def test_a_key_that_somebody_holds_makes_the_erasure_give_up(api, monkeypatch):
    monkeypatch.setattr(locks, "ATTEMPTS", 2)
    source = SourceFactory(code="bot")
    body = {"lead_external_id": "tg:77", "source_code": "bot"}
    made = api.post("/contacts", body, headers={"idempotency-key": "k"}).json()
    change_status(made["id"], status="closed")
    with transaction.atomic():
        list(IdempotencyKey.objects.select_for_update())
        with pytest.raises(Busy):
            elsewhere(lambda: erase_lead(made["lead_id"]))
    assert source.contacts.get().lead.external_id == "tg:77"


@pytest.mark.usefixtures("patient")
def test_crossing_work_neither_deadlocks_nor_leaves_anybody_half_erased():
    """Erasures, of one and of many, amid arrivals with keys, merges, edits and closings."""
    source = SourceFactory(code="bot")
    serve(source, max_active_contacts=10_000)
    leads = LeadFactory.create_batch(8)

    def write(number):
        body = {"lead_external_id": f"new:{number % 4}", "source_code": "bot", "message": "тайна"}
        made = APIClient().post("/contacts", body, headers={"idempotency-key": f"{number}"})
        assert made.status_code == 201
        change_status(made.json()["id"], status="closed")

    def expected(call):
        with suppress(Conflict, Lead.DoesNotExist):
            call()

    def newest():
        return list(Lead.objects.order_by("-pk").values_list("pk", flat=True)[:6])

    calls = []
    for number in range(24):
        one, other = leads[number % 8], leads[(number + 1) % 8]
        calls += [
            lambda n=number: write(n),
            lambda: [expected(lambda pk=pk: erase_lead(pk)) for pk in newest()[:2]],
            lambda a=one, b=other: expected(lambda: merge_leads(survivor_id=a.pk, merged_id=b.pk)),
            lambda a=one: expected(lambda: update_lead(a, name="Анна")),
            lambda: erase_silent_leads(newest(), since=timezone.now()),
        ]
    _, errors = at_once(calls, 8)
    assert errors == []
    assert not breaches()
    for pk in Lead.objects.filter(erased_at__isnull=False).values_list("pk", flat=True):
        assert not Contact.objects.filter(lead=pk).exclude(message="").exists()
        mark = f'"lead_id":{pk},'
        told = IdempotencyKey.objects.filter(body__contains=mark).values_list("body", flat=True)
        assert not any("тайна" in body or "new:" in body for body in told)
