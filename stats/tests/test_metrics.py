"""`/metrics`: what is counted, how things stand, and who may know."""

import re
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from contacts.events.models import Delivery
from contacts.events.services import send_test
from contacts.events.tests.factories import SubscriptionFactory
from contacts.models import Contact
from contacts.services import Inquiry, create_contact
from contacts.tests.factories import ContactFactory
from crm_project.metrics import counted
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
TOKEN = "a token of the settings"
JSON = {"content_type": "application/json"}


def scrape(client, **headers):
    """The samples, by name and labels."""
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return samples(text_string_to_metric_families(response.content.decode()))


def samples(families):
    return {
        (each.name, *each.labels.values()): each.value
        for family in families
        for each in family.samples
    }


@pytest.fixture
def decided():
    """How much each (source, outcome) has risen since the test began."""
    before = samples(counted())

    def risen():
        return {
            key[1:]: value - before.get(key, 0)
            for key, value in samples(counted()).items()
            if key[0] == "crm_decisions_total" and value != before.get(key, 0)
        }

    return risen


def test_a_request_is_counted_by_its_pattern(client):
    before = scrape(client)
    for pk in (1, 2):
        client.get(f"/contacts/{pk}")
    now = scrape(client)
    for name, labels in [
        ("crm_requests_total", ("GET", "contacts/<int:pk>", "404")),
        ("crm_request_seconds_count", ("GET", "contacts/<int:pk>")),
        ("crm_database_seconds_count", ("contacts/<int:pk>",)),
    ]:
        assert now[name, *labels] - before.get((name, *labels), 0) == 2


@pytest.mark.parametrize(
    ("method", "path", "label"),
    [
        ("GET", "/nothing/at/all", "other"),
        ("GET", "/static/a.css", "static"),
        ("SECRET", "/contacts", "contacts"),
    ],
)
def test_labels_are_few_whatever_is_asked_for(client, method, path, label):
    client.generic(method, path)
    method = "other" if method == "SECRET" else method
    assert scrape(client)["crm_request_seconds_count", method, label] >= 1
    assert "SECRET" not in client.get("/metrics").content.decode()


@pytest.mark.django_db(transaction=True)
class TestDecisions:
    def test_each_is_counted_by_its_source_and_outcome(self, client, decided):
        source = SourceFactory(code="tg")
        body = {"lead_external_id": "client:1", "source_code": "tg"}
        pk = client.post("/contacts", body, **JSON).json()["id"]
        assert decided() == {("tg", "waiting"): 1}
        anna = AssignmentFactory(source=source).operator
        client.post("/assignments", {"operator_id": anna.pk, "source_id": source.pk}, **JSON)
        client.post("/contacts/bulk", {"contacts": [body] * 3}, **JSON)
        client.post(f"/contacts/{pk}/reassign", {}, **JSON)
        client.patch(f"/contacts/{pk}/status", {"status": "closed"}, **JSON)
        client.patch(f"/contacts/{pk}/status", {"status": "new"}, **JSON)
        other = OperatorFactory()
        client.post(f"/contacts/{pk}/reassign", {"operator_id": other.pk}, **JSON)
        client.post(f"/operators/{other.pk}/release", {"deactivate": True}, **JSON)
        assert decided() == {
            ("tg", "waiting"): 1,
            ("tg", "from_queue"): 1,
            ("tg", "assigned"): 3,
            ("tg", "kept"): 1,
            ("tg", "reopened"): 1,
            ("tg", "reassigned"): 1,
            ("tg", "released"): 1,
        }

    def test_those_of_the_clock_and_of_commands_too(self, decided):
        source = SourceFactory(code="tg", response_minutes=1, auto_assign_waiting=False)
        ContactFactory(source=source)
        operator = AssignmentFactory(source=source).operator
        AssignmentFactory(source=source)
        call_command("distribute_waiting")
        long_ago = timezone.now() - timedelta(minutes=2)
        Contact.objects.update(assigned_at=long_ago, operator=operator)
        call_command("tick")
        assert decided() == {("tg", "from_queue"): 1, ("tg", "timed_out"): 1}

    def test_what_is_undone_is_not_counted(self, decided):
        inquiry = Inquiry(source=SourceFactory(), external_id="client:1")
        with transaction.atomic():
            create_contact(inquiry)
            transaction.set_rollback(True)
        call_command("distribute_waiting", dry_run=True)
        assert decided() == {}


def test_the_queue_of_each_source(client):
    SourceFactory(code="idle")
    waiting = SourceFactory(code="tg")
    for minutes in (5, 10):
        since = timezone.now() - timedelta(minutes=minutes)
        ContactFactory(source=waiting, waiting_since=since)
    ContactFactory(source=waiting, status="closed")
    found = scrape(client)
    assert found["crm_waiting_contacts", "tg"] == 2
    assert found["crm_waiting_contacts", "idle"] == found["crm_waiting_oldest_seconds", "idle"] == 0
    assert 600 <= found["crm_waiting_oldest_seconds", "tg"] < 660


def test_load_and_capacity_are_of_the_active_operators_assigned(client):
    tg, site = SourceFactory(code="tg"), SourceFactory(code="site")
    anna, boris = OperatorFactory(max_active_contacts=5), OperatorFactory(max_active_contacts=7)
    gone = OperatorFactory(is_active=False, max_active_contacts=100)
    for source, operator in [(tg, anna), (tg, boris), (tg, gone), (site, boris)]:
        AssignmentFactory(source=source, operator=operator)
    ContactFactory.create_batch(2, source=site, operator=boris)
    ContactFactory(source=site, operator=boris, status="closed")
    ContactFactory(source=tg, operator=gone)
    found = scrape(client)
    assert (found["crm_source_load", "tg"], found["crm_source_capacity", "tg"]) == (2, 12)
    assert (found["crm_source_load", "site"], found["crm_source_capacity", "site"]) == (2, 7)


def test_who_is_above_the_limit_is_counted(client):
    full, over = (OperatorFactory(max_active_contacts=1) for _ in range(2))
    ContactFactory(operator=full)
    ContactFactory.create_batch(2, operator=over)
    assert scrape(client)[("crm_operators_over_limit",)] == 1


def test_what_is_to_be_sent_and_what_was_given_up_is_counted(client):
    webhook = SubscriptionFactory()
    for _ in range(3):
        delivery = send_test(webhook)
    Delivery.objects.filter(pk=delivery.pk).update(state="dead")
    found = scrape(client)
    assert found["crm_event_deliveries", "pending"] == 2
    assert found["crm_event_deliveries", "dead"] == 1


@pytest.mark.parametrize("many", [1, 20])
def test_a_scrape_takes_five_queries(client, django_assert_num_queries, many):
    for _ in range(many):
        assignment = AssignmentFactory()
        ContactFactory(source=assignment.source, operator=assignment.operator)
        ContactFactory(source=assignment.source)
        send_test(SubscriptionFactory())
    with django_assert_num_queries(5):
        scrape(client)


def test_none_of_them_reads_the_whole_table_of_contacts(client):
    ContactFactory.create_batch(3)
    with CaptureQueriesContext(connection) as captured:
        scrape(client)
    of_contacts = [each["sql"] for each in captured if "contacts_contact" in each["sql"]]
    # Narrowed to what a partial index holds.
    assert len(of_contacts) == 1
    assert '"waiting_since" IS NOT NULL' in of_contacts[0]


def test_without_a_database_the_rest_is_told(client, monkeypatch):
    client.get("/health")

    def gone(self):
        raise OperationalError("gone")

    monkeypatch.setattr(QuerySet, "_fetch_all", gone)
    found = scrape(client)
    assert found[("crm_database_up",)] == 0
    assert found["crm_requests_total", "GET", "health", "200"] >= 1
    assert not any(key[0] == "crm_waiting_contacts" for key in found)


class TestAccess:
    @pytest.fixture(autouse=True)
    def _in_production(self, settings):
        settings.API_IS_OPEN, settings.METRICS_TOKEN = False, TOKEN

    def test_nobody_else_is_told(self, client):
        refused = client.get("/metrics")
        assert refused.status_code == 401
        assert refused.json()["errors"][0]["attr"] is None
        client.force_login(get_user_model().objects.create_user("clerk"))
        assert client.get("/metrics").status_code == 403

    def test_who_may_see_the_statistics_may(self, admin_client):
        assert scrape(admin_client)[("crm_database_up",)] == 1

    def test_the_token_lets_in_without_a_database(self, client, monkeypatch):
        def gone(self):
            raise OperationalError("gone")

        monkeypatch.setattr(QuerySet, "_fetch_all", gone)
        assert scrape(client, authorization=f"Bearer {TOKEN}")[("crm_database_up",)] == 0

    @pytest.mark.parametrize(
        "given", ["", "Bearer", "Bearer ", TOKEN, f"Bearer {TOKEN}x", "Bearer é"]
    )
    def test_another_does_not(self, client, given):
        assert client.get("/metrics", headers={"authorization": given}).status_code == 401

    def test_without_one_in_the_settings_none_does(self, client, settings):
        settings.METRICS_TOKEN = ""
        for given in ("Bearer ", "Bearer"):
            assert client.get("/metrics", headers={"authorization": given}).status_code == 401

    def test_it_opens_nothing_else(self, client):
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert client.get("/stats", headers=headers).status_code == 401


def test_nothing_can_be_sent_to_it(client):
    assert Client().post("/metrics").status_code == 405


def test_the_table_names_what_there_is(client):
    SourceFactory()
    text = (project.BASE_DIR / "docs" / "metrics.md").read_text()
    table = dict(re.findall(r"^\| `(crm_\w+)` \| (\w+) \|", text, re.MULTILINE))
    exported = {
        (f"{each.name}_total" if each.type == "counter" else each.name): each.type
        for each in text_string_to_metric_families(client.get("/metrics").content.decode())
    }
    assert table == exported
    rules = text.partition("## Alerts")[2]
    used = {re.sub("_bucket$", "", name) for name in re.findall(r"\bcrm_\w+", rules)}
    assert used <= set(table)
    outcomes = set(re.findall(r'outcome=~?"([\w|]+)"', rules))
    assert {word for each in outcomes for word in each.split("|")} <= set(
        re.findall(r"`(\w+)`", text.partition("- `outcome`:")[2].partition("\n-")[0])
    )
