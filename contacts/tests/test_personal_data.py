"""A person gets everything that is kept about him or her."""

import json
import stat
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from contacts import personal_data
from contacts.merging import merge_leads
from contacts.models import Contact, Message
from contacts.services import Inquiry, change_status, create_contact
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import serve
from crm_project.testing.queries import capture_sql
from leads.models import Lead
from leads.services import Profile, update_lead
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def export(*arguments, **options):
    out = StringIO()
    call_command("export_lead", *arguments, stdout=out, **options)
    return json.loads(out.getvalue())


@pytest.fixture
def anna():
    """Known by two ids, with two contacts, and renamed once."""
    source = SourceFactory(code="bot", name="Бот")
    serve(source, name="Вера")
    for external_id, message in [("tg:77", "Привет"), ("vk:5", 'Ещё "раз"\n')]:
        profile = Profile(name="Анна", phone="8 900 000-01-02")
        contact, _ = create_contact(Inquiry(source, external_id, message, profile))
    change_status(contact.pk, status="closed")
    lead, merged = Lead.objects.order_by("pk")
    update_lead(lead, name="Анна Щукина")
    merge_leads(survivor_id=lead.pk, merged_id=merged.pk)
    return lead


@pytest.mark.parametrize("external_id", ["tg:77", "vk:5"])
def test_it_has_everything_whatever_id_it_is_asked_by(anna, external_id):
    told = export(external_id)
    assert (told["lead"]["id"], told["lead"]["name"]) == (anna.pk, "Анна Щукина")
    assert told["lead"]["phone"] == "8 900 000-01-02"
    assert [each["external_id"] for each in told["merged"]] == ["vk:5"]
    assert ["Анна", "Анна Щукина"] in [each["fields"].get("name") for each in told["changes"]]
    first, second = told["contacts"]
    assert [first["message"], second["message"]] == ["Привет", 'Ещё "раз"\n']
    assert (first["source_code"], first["source_name"]) == ("bot", "Бот")
    assert (first["operator_name"], second["status"]) == ("Вера", "closed")
    assert second["closed_at"]
    assert [each["operator_name"] for each in first["decisions"]] == ["Вера"]
    assert second["changes"][0]["fields"] == {"status": ["new", "closed"]}


def test_it_has_what_was_written_further(anna):
    contact = anna.contacts.order_by("pk").first()
    for minute, said in [(2, "третье"), (1, "второе")]:
        sent_at = datetime(2026, 11, 27, 9, minute, tzinfo=UTC)
        Message.objects.create(contact=contact, text=said, sent_at=sent_at)
    first, second = export(id=anna.pk)["contacts"]
    assert [each["text"] for each in first["messages"]] == ["второе", "третье"]
    assert first["messages"][0]["sent_at"] == "2026-11-27T09:01:00Z"
    assert second["messages"] == []


def test_it_has_nothing_of_anybody_else(anna):
    other = ContactFactory(message="чужое", lead__name="Борис")
    Message.objects.create(contact=other, text="чужое", sent_at=other.created_at)
    assert "чужое" not in json.dumps(export(id=anna.pk), ensure_ascii=False)


def test_it_has_every_value_of_the_person_that_the_tables_have(anna):
    told = json.dumps(export(id=anna.pk), ensure_ascii=False)
    for lead in Lead.objects.all():
        for field in Lead._meta.concrete_fields:
            value = getattr(lead, field.attname)
            assert not isinstance(value, str) or json.dumps(value, ensure_ascii=False) in told
    contacts = set(Contact.objects.values_list("pk", flat=True))
    assert {each["id"] for each in export(id=anna.pk)["contacts"]} == contacts


def test_a_lead_without_contacts_and_one_without_a_name():
    told = export(id=LeadFactory().pk)
    assert (told["contacts"], told["merged"], told["changes"]) == ([], [], [])


def test_only_a_page_of_contacts_is_in_memory(anna, monkeypatch):
    monkeypatch.setattr(personal_data, "CONTACTS_AT_ONCE", 10)

    def queries(count):
        ContactFactory.create_batch(count, lead=anna, message="м" * 10_000)
        return len(capture_sql(lambda: list(personal_data.as_json(anna.pk))))

    few, more = queries(7), queries(20)
    # Of each page the contacts, their messages, their decisions and who moved them.
    assert more - few == 2 * 4
    ids = [each["id"] for each in export(id=anna.pk)["contacts"]]
    assert ids == sorted(set(ids))
    assert len(ids) == 29


def test_a_file_is_for_its_owner_alone(anna, tmp_path):
    path = tmp_path / "anna.json"
    out = StringIO()
    call_command("export_lead", "tg:77", output=str(path), stdout=out)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["lead"]["id"] == anna.pk
    assert "Анна" not in out.getvalue()
    # One that is there may be for other eyes, and somebody's.
    path.write_text("mine")
    with pytest.raises(CommandError, match="is there already"):
        call_command("export_lead", "tg:77", output=str(path))
    assert path.read_text() == "mine"


def test_what_cannot_be_told_is_an_error_in_words(anna, tmp_path):
    with pytest.raises(CommandError, match="no lead"):
        export("nobody")
    with pytest.raises(CommandError, match="no lead"):
        export(id=anna.pk + 1000)
    with pytest.raises(CommandError, match="Cannot write"):
        export("tg:77", output=str(tmp_path / "none" / "anna.json"))
    for wrong in ([], ["tg:77", "--id", "1"]):
        with pytest.raises(CommandError):
            call_command("export_lead", *wrong)
