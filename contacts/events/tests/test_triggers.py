"""Whatever writes contacts and leads is told of, and what is rolled back is not."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, models, transaction
from django.db.models import F
from django.utils import timezone

from contacts.clock import tick
from contacts.erasing import erase_lead
from contacts.events import triggers
from contacts.events.models import Delivery, Event, Subscription
from contacts.events.tests.factories import SubscriptionFactory
from contacts.merging import merge_leads
from contacts.models import Contact
from contacts.services import Inquiry, change_status, create_contact, reassign_contact
from contacts.staffing import delete_operator, release_operator
from contacts.tally.drift import drift_of_some
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from leads.models import Lead
from leads.services import Profile
from leads.tests.factories import LeadFactory
from operators.models import Operator
from operators.tests.people import make_lead
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def told(**only):
    return list(Delivery.objects.filter(**only).order_by("pk").values_list("event", flat=True))


def assert_what_was_told_is_what_the_rows_say():
    """Of each contact the chain of events ends where it stands, and has no gap."""
    assert Contact.objects.exists()
    assert told(event="lead.created") == ["lead.created"] * Lead.objects.count()
    names = dict(Operator.objects.values_list("pk", "name"))
    for contact in Contact.objects.all():
        chain = list(Delivery.objects.filter(contact_id=contact.pk).order_by("pk"))
        assert chain[0].event == "contact.created"
        assert all(each.event != "contact.created" for each in chain[1:])
        held = None
        for each in chain[1:]:
            assert each.event == "contact.closed" or each.operator_id != held or held is None
            if each.event == "contact.reassigned":
                assert each.previous_operator_id == held
                assert held not in (None, each.operator_id)
            assert (each.event == "contact.waiting") <= (each.operator_id is None)
            if each.operator_id in names:
                assert each.operator_name == names[each.operator_id]
            held = each.operator_id if each.event != "contact.closed" else None
        last = chain[-1]
        stands = "closed" if contact.closed_at else "waiting" if contact.waiting_since else "given"
        kinds = {"contact.closed": "closed", "contact.waiting": "waiting"}
        assert kinds.get(last.event, "given") == stands
        if not contact.closed_at:
            assert last.operator_id == contact.operator_id


@pytest.fixture
def source():
    SubscriptionFactory()
    source = SourceFactory(code="tg", response_minutes=10, response_handovers=2)
    for number in range(2):
        serve(source, name=f"Анна {number}", max_active_contacts=40)
    return source


def by_the_api(source, client):
    for number in range(3):
        body = {"lead_external_id": f"a{number}", "source_code": "tg"}
        assert client.post("/contacts", body, "application/json").status_code == 201


def many_at_once(source, client):
    items = [{"lead_external_id": f"b{n % 70}", "source_code": "tg"} for n in range(100)]
    answer = client.post("/contacts/bulk", {"contacts": items}, "application/json")
    assert answer.status_code == 200


def by_import(source, client, tmp_path):
    rows = [{"id": str(n), "lead_external_id": f"c{n}", "source_code": "tg"} for n in range(120)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    call_command("import_contacts", str(path), stdout=io.StringIO(), stderr=io.StringIO())


def in_the_back_office(source, client):
    contacts = [arrive(source, f"d{number}")[0].pk for number in range(3)]
    client.force_login(make_lead())
    path = "/admin/contacts/contact/"
    client.post(path, {"action": "close", "_selected_action": contacts[:2]})
    assert Contact.objects.filter(closed_at__isnull=False).count() == 2
    chosen = Operator.objects.exclude(pk=Contact.objects.get(pk=contacts[2]).operator_id).first()
    client.post(f"{path}reassign_to/?ids={contacts[2]}", {"operator": chosen.pk})
    assert Contact.objects.get(pk=contacts[2]).operator == chosen


def reassigned_closed_and_reopened(source, client):
    contact, _ = arrive(source)
    reassign_contact(contact.pk)
    for status in ("in_progress", "closed", "closed", "new"):
        change_status(contact.pk, status=status)


def released(source, client):
    for number in range(6):
        arrive(source, f"e{number}")
    release_operator(Operator.objects.first().pk, deactivate=True)
    release_operator(Operator.objects.last().pk, deactivate=True)
    assert Contact.objects.filter(waiting_since__isnull=False).count() == 6
    serve(source)


def an_operator_deleted(source, client):
    contacts = [arrive(source, f"f{number}")[0] for number in range(6)]
    change_status(contacts[0].pk, status="closed")
    delete_operator(Operator.objects.get(pk=contacts[0].operator_id))


def late(source, client):
    arrive(source)
    for minutes in (11, 22, 33):
        tick(now=timezone.now() + timedelta(minutes=minutes))


def erased(source, client):
    contact, _ = arrive(source)
    erase_lead(contact.lead_id, close=True)


def merged(source, client):
    one, _ = arrive(source, "g1")
    other, _ = arrive(source, "g2")
    merge_leads(survivor_id=one.lead_id, merged_id=other.lead_id)


def by_hand(source, client):
    first, second = Operator.objects.order_by("pk")
    lead, now = LeadFactory(), timezone.now()
    ContactFactory.create_batch(3, lead=lead, source=source, operator=first)
    Contact.objects.update(operator=second)
    Contact.objects.filter(pk=Contact.objects.last().pk).update(status="closed", closed_at=now)
    open_ones = Contact.objects.filter(closed_at=None)
    open_ones.update(operator=None, waiting_since=now)
    open_ones.update(waiting_since=F("created_at"))


WRITERS = [
    *(by_the_api, many_at_once, in_the_back_office, reassigned_closed_and_reopened),
    *(released, an_operator_deleted, late, erased, merged, by_hand),
]


@pytest.mark.parametrize("write", WRITERS)
def test_every_writer_is_heard(source, client, write):
    write(source, client)
    assert_what_was_told_is_what_the_rows_say()


def test_an_import_is_heard(source, client, tmp_path):
    by_import(source, client, tmp_path)
    assert Contact.objects.count() == 120
    assert_what_was_told_is_what_the_rows_say()


def test_each_change_is_the_event_it_is(source):
    contact, _ = arrive(source)
    Delivery.objects.all().delete()
    first = contact.operator_id
    [second] = Operator.objects.exclude(pk=first)
    row, now = Contact.objects.filter(pk=contact.pk), timezone.now()
    row.update(operator=second)
    row.update(status="in_progress")
    row.update(status="closed", closed_at=now)
    row.update(message="anything")
    row.update(status="new", closed_at=None)
    row.update(operator=None, waiting_since=now)
    row.update(operator=first, waiting_since=None)
    events = Delivery.objects.order_by("pk")
    assert list(events.values_list("event", "operator_id", "previous_operator_id")) == [
        ("contact.reassigned", second.pk, first),
        ("contact.closed", second.pk, second.pk),
        ("contact.assigned", second.pk, second.pk),
        ("contact.waiting", None, second.pk),
        ("contact.assigned", first, None),
    ]


def test_what_is_rolled_back_is_not_told(source):
    with transaction.atomic():
        arrive(source)
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_each_hears_what_it_wants_while_it_is_active(source):
    Subscription.objects.all().delete()
    elsewhere = SourceFactory()
    all_of_it = SubscriptionFactory()
    closed = SubscriptionFactory(events=["contact.closed"])
    here = SubscriptionFactory(source=source)
    there = SubscriptionFactory(source=elsewhere)
    SubscriptionFactory(is_active=False)
    contact, _ = arrive(source)
    change_status(contact.pk, status="closed")
    of_contact = ["contact.created", "contact.assigned", "contact.closed"]
    assert told(subscription=all_of_it) == ["lead.created", *of_contact]
    assert told(subscription=closed) == ["contact.closed"]
    assert told(subscription=here) == of_contact
    assert told(subscription=there) == []
    assert Delivery.objects.count() == 8


def test_nothing_personal_is_in_the_outbox(source):
    lead = LeadFactory(external_id="tg:555", name="Мария", phone="+79000000001", email="m@x.ru")
    ContactFactory(lead=lead, source=source, message="Здравствуйте")
    for row in Delivery.objects.values():
        for word in ("tg:555", "Мария", "+79000000001", "m@x.ru", "Здравствуйте"):
            assert word not in str(row)


def test_another_id_of_somebody_known_is_no_new_lead(source, settings):
    settings.MATCH_LEADS = ["phone"]
    profile = Profile(phone="+7 900 000-01-02")
    for external_id in ("tg:1", "site:2"):
        create_contact(Inquiry(source, external_id, profile=profile))
    assert Lead.objects.count() == 2
    assert told(event="lead.created") == ["lead.created"]


def test_a_further_message_is_told_where_its_contact_is(source):
    elsewhere = SubscriptionFactory(source=SourceFactory())
    contact, _ = arrive(source)
    contact.messages.create(text="Вы тут?", sent_at=timezone.now())
    [each] = Delivery.objects.filter(event="contact.message_received")
    assert (each.contact_id, each.lead_id) == (contact.pk, contact.lead_id)
    assert (each.source_id, each.operator_id) == (source.pk, contact.operator_id)
    assert not elsewhere.deliveries.exists()


def test_all_events_are_those_of_the_triggers(source):
    first, _ = arrive(SourceFactory(), "a")
    first.messages.create(text="Вы тут?", sent_at=timezone.now())
    second, _ = arrive(source, "b")
    reassign_contact(second.pk)
    change_status(first.pk, status="closed")
    assert set(told()) == set(Event.values)


@pytest.mark.django_db(transaction=True)
def test_triggers_that_are_gone_are_missed():
    assert triggers.missing() == []
    with connection.schema_editor() as editor:
        triggers.remove(editor)
    try:
        names = [name for names in triggers.NAMES.values() for name in names]
        assert list(drift_of_some()) == [f"trigger {name} is missing" for name in names]
    finally:
        with connection.schema_editor() as editor:
            triggers.install(editor)
    assert triggers.missing() == []


TRIGGERS = {
    "sqlite": "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname, tgrelid, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger"
    " WHERE NOT tgisinternal",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Subscription, Delivery, Operator, Contact, Lead])
def test_a_table_that_is_changed_keeps_them(model):
    """SQLite makes it anew for that."""

    def all_triggers():
        with connection.cursor() as cursor:
            cursor.execute(TRIGGERS[connection.vendor])
            return sorted(cursor.fetchall())

    before, spare = all_triggers(), models.IntegerField(default=7)
    spare.set_attributes_from_name("spare")
    with connection.schema_editor() as editor:
        editor.add_field(model, spare)
    with connection.schema_editor() as editor:
        editor.remove_field(model, spare)
    assert all_triggers() == before
    SubscriptionFactory()
    arrive(SourceFactory())
    assert told() == ["lead.created", "contact.created", "contact.waiting"]
