"""A person's data are erased: nothing is left of them anywhere, and all that was counted stays."""

import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from contacts.erasing import HasOpenContacts, erase_lead
from contacts.invariants import check_all
from contacts.merging import merge_leads
from contacts.models import Contact, DecisionRecord, IdempotencyKey, ImportRun, Message
from contacts.services import change_status
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, owner, serve
from contacts.tests.sheets import csv_file, go_on, upload
from crm_project.audit.services import changes_of
from crm_project.testing.forms import filled
from leads.models import Lead
from leads.services import LeadIsErased, update_lead
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db

# Everything that tells who she is, in whatever column it comes to lie.
SECRETS = [
    "tg:77",
    "vk-anna",
    "Щукина",
    "Карпова",
    "000-01-02",
    "79000000102",
    "anna@",
    "дачный",
    "забор",
]
ANNA = {
    "lead_external_id": "tg:77",
    "source_code": "bot",
    "message": "Мой дачный участок",
    "lead_name": "Анна Щукина",
    "lead_phone": "8 900 000-01-02",
    "lead_email": "Anna@Example.com",
}
BORIS = {
    "lead_external_id": "tg:78",
    "source_code": "bot",
    "message": "Привет",
    "lead_name": "Борис",
}


@pytest.fixture
def bot():
    source = SourceFactory(code="bot")
    serve(source, max_active_contacts=100)
    return source


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def erase(*arguments, **options):
    out = StringIO()
    call_command("erase_lead", *arguments, yes=True, stdout=out, **options)
    return out.getvalue()


def close_all():
    for contact in Contact.objects.exclude(status="closed"):
        change_status(contact.pk, status="closed")


def everything():
    """Every value of every row of every table, as one text."""
    with connection.cursor() as cursor:
        texts = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  # a name of our own tables
            texts += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(texts)


def left():
    # Texts in JSON columns may be written with escapes.
    found = everything().casefold()
    escaped = [json.dumps(each)[1:-1].replace("\\", "\\\\") for each in SECRETS]
    return [each for each in [*SECRETS, *escaped] if each.casefold() in found]


def breaches():
    return [each.breaches for each in check_all(records=1000, pause=lambda: None) if each.breaches]


def code_of(response):
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], error["attr"]


@pytest.fixture
def known_everywhere(api, admin, bot):
    """Anna, known to every part of the system, and Boris, whom it does not concern."""
    for body, key in [(ANNA, "k-1"), (ANNA, "tg:77:msg-2"), (BORIS, "k-3")]:
        assert api.post("/contacts", body, headers={"idempotency-key": key}).status_code == 201
    other = ANNA | {"lead_external_id": "vk-anna", "lead_name": "Анна Карпова"}
    both = {"contacts": [BORIS, other]}
    api.post("/contacts/bulk", both, headers={"idempotency-key": "k-bulk"})
    lead, merged = (Lead.objects.get(external_id=each) for each in ("tg:77", "vk-anna"))
    # By the admin, which keeps a log of its own.
    page = f"/admin/leads/lead/{lead.pk}/change/"
    form = filled(admin.get(page), "lead_form") | {"name": "Анна Щукина-Карпова"}
    assert admin.post(page, form).status_code == 302
    merge_leads(survivor_id=lead.pk, merged_id=merged.pk)
    rows = [[each["lead_external_id"], "bot", each["message"]] for each in (ANNA, BORIS)]
    upload(admin, csv_file(["lead_external_id", "source_code", "message"], *rows))
    for each in Contact.objects.all():
        said = "Привет!" if each.lead.external_id == "tg:78" else "И забор"
        Message.objects.create(contact=each, text=said, sent_at=each.created_at)
    close_all()
    return lead


def test_nothing_is_left_in_any_table(known_everywhere):
    assert set(SECRETS) <= set(left())
    told = erase("tg:77")
    assert "3" in told
    assert left() == []
    assert not breaches()


def test_all_that_was_counted_and_decided_stays(known_everywhere, api):
    def counted():
        stats = [api.get(path).json() for path in ("/stats", f"/stats/sources/{source_id}")]
        contacts = Contact.objects.order_by("pk").values("pk", "lead", "operator", "closed_at")
        return stats, list(contacts), list(DecisionRecord.objects.order_by("pk").values())

    source_id = Contact.objects.values_list("source", flat=True).first()
    before = counted()
    erase(id=known_everywhere.pk)
    assert counted() == before


def test_nobody_else_loses_anything(known_everywhere):
    boris = Lead.objects.filter(external_id="tg:78")
    before = boris.values().get()
    erase("tg:77")
    assert boris.values().get() == before
    assert {each.message for each in boris.get().contacts.all()} == {"Привет"}
    assert set(Message.objects.values_list("text", flat=True)) == {"Привет!"}


def test_it_is_erased_by_the_id_of_one_that_was_merged_as_well(known_everywhere):
    erase("vk-anna")
    assert left() == []
    assert Lead.objects.filter(erased_at=None).get().external_id == "tg:78"


def test_the_api_shows_empty_texts_and_an_id_that_tells_nothing(known_everywhere, api):
    erase("tg:77")
    lead = api.get(f"/leads/{known_everywhere.pk}").json()
    assert [lead[name] for name in ("name", "phone", "email")] == ["", "", ""]
    assert lead["external_id"].startswith("erased:")
    assert lead["erased_at"]
    assert [each["message"] for each in lead["contacts"]] == ["", "", ""]
    assert api.get("/leads?external_id=tg:77").json()["results"] == []
    assert api.get("/leads?search=Щук").json()["results"] == []
    assert api.get("/leads?external_id=tg:78").json()["results"][0]["erased_at"] is None


def test_who_writes_again_is_somebody_new(known_everywhere, api):
    erase("tg:77")
    again = api.post("/contacts", ANNA).json()["lead"]
    assert again["id"] != known_everywhere.pk
    assert (again["external_id"], again["name"]) == ("tg:77", "Анна Щукина")


def test_an_id_that_looks_erased_reaches_nobody_who_is(known_everywhere, api):
    erase("tg:77")
    taken = Lead.objects.get(pk=known_everywhere.pk).external_id
    for guess in (f"erased:{known_everywhere.pk}", "erased:", taken.upper(), f"{taken}0"):
        made = api.post("/contacts", ANNA | {"lead_external_id": guess})
        assert made.status_code == 201
        assert made.json()["lead"]["external_id"] == guess
    refused = api.post("/contacts", ANNA | {"lead_external_id": taken})
    assert code_of(refused) == (400, "lead_is_erased", "lead_external_id")
    bulk = {"contacts": [BORIS, ANNA | {"lead_external_id": taken}]}
    results = api.post("/contacts/bulk", bulk).json()["results"]
    assert ["contact" in each for each in results] == [True, False]
    assert Contact.objects.filter(lead=known_everywhere).count() == 3


def test_the_service_refuses_it_too(bot):
    lead = LeadFactory()
    erase_lead(lead.pk)
    lead.refresh_from_db()
    with pytest.raises(LeadIsErased):
        arrive(bot, lead.external_id)
    with pytest.raises(LeadIsErased):
        update_lead(lead, name="Анна")
    for pair in [(lead, LeadFactory()), (LeadFactory(), lead)]:
        with pytest.raises(LeadIsErased):
            merge_leads(survivor_id=pair[0].pk, merged_id=pair[1].pk)


def test_a_request_sent_again_creates_nothing_and_tells_nothing(known_everywhere, api):
    before = Contact.objects.count()
    erase("tg:77")
    one = api.post("/contacts", ANNA, headers={"idempotency-key": "k-1"})
    assert (one.status_code, one["Idempotency-Replayed"]) == (201, "true")
    assert one.json()["message"] == one.json()["lead"]["phone"] == ""
    other = ANNA | {"lead_external_id": "vk-anna", "lead_name": "Анна Карпова"}
    many = api.post(
        "/contacts/bulk", {"contacts": [BORIS, other]}, headers={"idempotency-key": "k-bulk"}
    ).json()["results"]
    assert [each["contact"]["message"] for each in many] == ["Привет", ""]
    assert [each["contact"]["lead"]["name"] for each in many] == ["Борис", ""]
    assert Contact.objects.count() == before


def test_a_key_that_names_the_person_is_forgotten_and_no_other(known_everywhere):
    erase("tg:77")
    keys = set(IdempotencyKey.objects.values_list("key", flat=True))
    assert keys == {"k-1", "k-3", "k-bulk"}


def test_rows_of_a_file_not_imported_yet_are_refused_in_words(known_everywhere, admin):
    erase("tg:77")
    run = ImportRun.objects.get()
    page = go_on(admin, run)
    [fault] = page.context["faults"]
    said = _("The personal data of this lead have been erased since the file was read.")
    assert (fault.row, fault.text) == (2, said)
    run.refresh_from_db()
    assert (run.outcomes, run.faulty_rows) == ({"assigned": 1}, 1)
    assert not Lead.objects.filter(external_id="tg:77").exists()


def test_a_row_for_the_id_of_an_erased_lead_is_refused_in_words(known_everywhere, admin):
    erase("tg:77")
    lead = Lead.objects.get(pk=known_everywhere.pk)
    sheets = {"leads": ["external_id", "name"], "contacts": ["lead_external_id", "source_code"]}
    for kind, header in sheets.items():
        page = upload(admin, csv_file(header, [lead.external_id, "bot"]), kind=kind)
        [fault] = page.context["faults"]
        said = _("This is the id of a lead whose personal data have been erased.")
        assert (fault.row, fault.text) == (2, said)


def test_the_account_of_changes_tells_who_erased_and_no_value(known_everywhere):
    erase("tg:77")
    lead = Lead.objects.get(pk=known_everywhere.pk)
    newest, *older = changes_of(lead)
    assert (newest.actor_type, newest.actor_name) == ("command", "erase_lead")
    assert newest.fields == {"personal data erased": [False, True]}
    assert {name for each in older for name in each.fields} >= {"name", "contacts moved"}
    assert [value for each in older for value in each.fields.get("name", [])] == [None, None]


def test_an_open_contact_is_in_the_way(bot):
    contact, _ = arrive(bot)
    with pytest.raises(HasOpenContacts):
        erase_lead(contact.lead_id)
    with pytest.raises(CommandError, match="--close"):
        erase(id=contact.lead_id)
    assert not Lead.objects.filter(erased_at__isnull=False).exists()


def test_with_close_the_place_goes_to_whoever_waits():
    source = SourceFactory()
    operator = serve(source, max_active_contacts=1)
    hers, _ = arrive(source, "tg:77")
    waiting, _ = arrive(source, "tg:78")
    assert owner(waiting) is None
    erase("tg:77", close=True)
    assert owner(waiting) == operator
    assert Lead.objects.get(pk=hers.lead_id).erased_at
    assert not breaches()


def test_erasing_twice_changes_nothing(known_everywhere):
    erase("tg:77")
    before = everything()
    assert "nothing to erase" in erase("tg:77")
    assert "already" in erase(id=known_everywhere.pk)
    assert (erase_lead(known_everywhere.pk).people, erase_lead(0).people) == (0, 0)
    assert everything() == before


def test_a_dry_run_changes_nothing(known_everywhere):
    before = everything()
    assert "Contacts: 3" in erase("tg:77", dry_run=True)
    assert everything() == before


def test_without_a_yes_nothing_is_erased(known_everywhere):
    with pytest.raises(CommandError, match="--yes"):
        call_command("erase_lead", "tg:77", stdout=StringIO())
    assert not Lead.objects.filter(erased_at__isnull=False).exists()


def test_contacts_of_an_erased_lead_stay_closed(known_everywhere, api):
    erase("tg:77")
    contact = known_everywhere.contacts.first()
    for status in ("new", "in_progress"):
        answer = api.patch(f"/contacts/{contact.pk}/status", {"status": status})
        assert code_of(answer) == (409, "lead_is_erased", None)
    assert api.patch(f"/contacts/{contact.pk}/status", {"status": "closed"}).status_code == 200


@pytest.mark.parametrize("name", ["name", "phone", "email", "phone_e164", "email_key"])
def test_the_database_keeps_nothing_of_who_is_erased(name):
    lead = LeadFactory()
    erase_lead(lead.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        Lead.objects.filter(pk=lead.pk).update(**{name: "x"})


def test_an_open_contact_of_an_erased_lead_is_a_breach():
    lead = LeadFactory()
    erase_lead(lead.pk)
    contact = ContactFactory(lead=lead)
    assert [f"contact {contact.pk}"] in breaches()


def test_its_queries_do_not_grow_with_the_contacts(django_assert_max_num_queries):
    lead = LeadFactory()
    ContactFactory.create_batch(30, lead=lead, status="closed", message="x")
    with django_assert_max_num_queries(25):
        erase_lead(lead.pk)


def test_a_lead_without_contacts_is_erased_too(bot):
    lead = LeadFactory(external_id="tg:77", name="Анна Щукина")
    assert erase_lead(lead.pk).contacts == 0
    assert left() == []
