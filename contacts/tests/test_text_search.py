"""A part of a text is found wherever it stands, copied already or not, and by no erased text."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from contacts import text_index, text_search
from contacts.erasing import erase_lead
from contacts.invariants import check_all
from contacts.models import Contact
from contacts.tally import marks
from contacts.tests.factories import ContactFactory
from contacts.text_drift import texts_that_differ
from contacts.text_index import (
    INDEXES,
    MESSAGES,
    PEOPLE,
    TRIGGERS,
    filled,
    is_there,
    keep_up_texts,
)
from crm_project.testing.queries import capture_sql
from crm_project.testing.threads import elsewhere, until_somebody_waits
from leads.models import Lead
from leads.tests.factories import LeadFactory

pytestmark = pytest.mark.django_db(transaction=True)
TERMS = [
    "ЩЕН",
    "щенок доб",
    "ёж",
    "50 %",
    "_х_",
    '"так"',
    "\\о",
    "нет такого",
    "tg:77",
    "анна",
    "н",
]


def copy_all():
    for index in INDEXES:
        while marks.up_to(index.name) < marks.newest_id(index.model._default_manager):
            keep_up_texts(least=1)


def ids(api, path, term):
    return [each["id"] for each in api.get(path, {"search": term}).json()["results"]]


@pytest.fixture
def texts():
    anna = LeadFactory(name="Анна Щукина", external_id="tg:7701", phone="+7 900")
    other = LeadFactory(name="Борис", external_id="vk:1", email="Boris@Firm.example")
    for lead, message in (
        (anna, "Щенок доберман есть?"),
        (anna, ""),
        (other, "Скидка 50 %, да?"),
        (other, 'Ёж «"так"» о_х_о \\о'),
    ):
        ContactFactory(lead=lead, message=message)


@pytest.mark.postgres
def test_what_is_changed_while_it_is_copied_is_found_by_what_it_is_then(api, texts, monkeypatch):
    monkeypatch.setattr(text_index, "PATIENCE", "60s")
    keep_up_texts(least=1)
    changed = threading.Event()

    def change():
        with transaction.atomic():
            Lead.objects.filter(name="Борис").update(name="Борислав")
            changed.set()
            until_somebody_waits()

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(elsewhere, change)
        assert changed.wait(10)
        keep_up_texts(least=1)
        changing.result()
    copy_all()
    assert len(ids(api, "/leads", "рислав")) == 1
    assert list(texts_that_differ()) == []


@pytest.mark.postgres
def test_who_changes_a_text_for_long_holds_up_nothing_but_the_copies(api, texts):
    keep_up_texts(least=1)
    with transaction.atomic():
        Lead.objects.filter(name="Борис").update(name="Борислав")
        elsewhere(lambda: keep_up_texts(least=1))
    assert marks.up_to(MESSAGES.name) > 0 == marks.up_to(PEOPLE.name)
    copy_all()
    assert len(ids(api, "/leads", "рислав")) == 1
    assert list(texts_that_differ()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM leads_lead_text",
        "UPDATE contacts_contact_text SET text = 'ещё раз'",
    ],
)
def test_a_copy_that_is_wrong_is_told_and_mended(api, texts, spoil):
    copy_all()
    with connection.cursor() as cursor:
        cursor.execute(spoil)
    broken = {each.invariant.name for each in check_all(records=100) if each.breaches}
    assert broken == {"texts"}
    call_command("recount", stdout=StringIO())
    assert list(texts_that_differ()) == []
    assert ids(api, "/leads", "рис")
    assert len(ids(api, "/contacts", "доберман")) == 1


def test_where_the_oldest_are_gone_a_part_is_compared_of_what_is_there(api):
    LeadFactory(id=7_000_000, name="Анна Щукина")
    copy_all()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM leads_lead_text")
    assert list(texts_that_differ(some=True)) == ["leads_lead_text 7000000"]


def test_a_trigger_that_is_missing_is_told(texts):
    with connection.schema_editor() as editor:
        on = " ON leads_lead" if connection.vendor == "postgresql" else ""
        editor.execute(f"DROP TRIGGER leads_lead_text_delete{on}")
    try:
        assert list(texts_that_differ()) == ["trigger leads_lead_text_delete is missing"]
    finally:
        statement = TRIGGERS[connection.vendor][-1]
        with connection.cursor() as cursor:
            cursor.execute(filled(statement, PEOPLE))


@pytest.mark.parametrize("path", ["/contacts", "/leads"])
def test_the_same_is_found_whether_it_is_copied_or_not(api, texts, path):
    before = {term: ids(api, path, term) for term in TERMS}
    assert before["анна"]
    copy_all()
    assert {term: ids(api, path, term) for term in TERMS} == before
    ContactFactory(message="А щенок доберман ещё есть?")
    if path == "/contacts":
        assert len(ids(api, path, "щенок доб")) == 2


def test_what_was_changed_is_found_by_what_it_is_now(api, texts):
    copy_all()
    Contact.objects.filter(message="").update(message="Нашёлся котёнок")
    Lead.objects.filter(name="Борис").update(name="Борислав")
    assert len(ids(api, "/contacts", "КОТЁНОК")) == 1
    assert len(ids(api, "/leads", "рислав")) == 1
    Contact.objects.filter(message="Нашёлся котёнок").delete()
    assert ids(api, "/contacts", "котёнок") == []


def test_nothing_of_an_erased_text_is_left_in_the_copies(api, texts):
    copy_all()
    anna = Lead.objects.get(external_id="tg:7701")
    erase_lead(anna.pk, close=True)
    kept = ""
    with connection.cursor() as cursor:
        for index in (MESSAGES, PEOPLE):
            cursor.execute(f"SELECT text FROM {index.table}")  # noqa: S608  # a name of our own
            kept += " ".join(text for (text,) in cursor.fetchall())
    assert "Борис" in kept
    # Its digits are random.
    kept = re.sub("erased:[0-9a-f]{16}", "", kept)
    assert not [part for part in ("Щенок", "Щукина", "7701", "900") if part in kept]


# pg_trgm keeps no places of trigrams, so that nothing can be put together of its index.
KEPT = {
    "sqlite": "SELECT block FROM {table}_data",
    "postgresql": "SELECT convert_to(text, 'UTF8') FROM {table}",
}


def test_nothing_of_an_erased_text_can_be_put_together_of_what_a_search_looks_into(api):
    lead = LeadFactory(name="Qzxwv")
    ContactFactory(lead=lead, message="qzxwv", status="closed")
    copy_all()

    def kept():
        found = b""
        with connection.cursor() as cursor:
            for index in (MESSAGES, PEOPLE):
                cursor.execute(KEPT[connection.vendor].format(table=index.table))
                found += b"".join(bytes(block) for (block,) in cursor.fetchall())
        return found

    assert kept().count(b"zxw") == 2
    erase_lead(lead.pk)
    keep_up_texts()
    assert b"zxw" not in kept()


def test_it_is_asked_of_the_copy_not_of_every_row(api, texts):
    assert is_there(MESSAGES), is_there(PEOPLE)
    copy_all()
    asked = capture_sql(lambda: ids(api, "/contacts", "котёнок"))
    asked += capture_sql(lambda: ids(api, "/leads", "котёнок"))
    assert sum(MESSAGES.table in each for each in asked) >= 1
    assert sum(PEOPLE.table in each for each in asked) >= 1


def test_where_there_is_no_copy_the_newest_rows_are_read(api, texts, monkeypatch):
    monkeypatch.setattr(text_search, "serves", lambda index, term: False)
    assert len(ids(api, "/contacts", "щенок")) == 1
    monkeypatch.setattr(text_search, "BOUND", 1)
    assert ids(api, "/contacts", "щенок") == []


def test_a_frequent_term_finds_the_same_whichever_way_it_is_looked_for(api, texts, monkeypatch):
    source = Contact.objects.first().source
    lead = Lead.objects.first()
    ContactFactory.create_batch(60, source=source, lead=lead, message="Есть доставка?")
    copy_all()
    found = ids(api, "/contacts", "доставка")
    assert len(found) == 50 == len(set(found))
    monkeypatch.setattr(text_index, "FREQUENT", 61)
    assert ids(api, "/contacts", "доставка") == found
    monkeypatch.setattr(text_search, "MOST", 59)
    assert ids(api, "/contacts", "доставка") == found
