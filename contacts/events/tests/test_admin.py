"""Webhooks in the back office."""

import re

import pytest

from contacts.events.models import Delivery, Subscription
from contacts.events.services import send_test
from contacts.events.signing import is_secret
from contacts.events.tests.factories import SECRET, SubscriptionFactory
from contacts.tests.scenes import arrive
from crm_project.audit.services import changes_of
from crm_project.encryption import decrypt
from crm_project.testing.forms import filled
from operators.tests.people import make_lead, make_operator
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
LIST, DELIVERIES = "/admin/events/subscription/", "/admin/events/delivery/"
NEW = {
    "name": "Склад",
    "url": "https://example.com/hook",
    "events": ["contact.created", "contact.closed"],
    "is_active": "on",
}


@pytest.fixture
def office(client):
    client.force_login(make_lead())
    return client


def secret_in(page):
    return re.search(r"whsec_[A-Za-z0-9+/=]+", page.content.decode()).group()


def test_a_new_one_shows_its_secret_once(office):
    made = office.post(f"{LIST}add/", NEW)
    assert made.status_code == 200
    assert "no-store" in made["Cache-Control"]
    secret = secret_in(made)
    assert is_secret(secret)
    webhook = Subscription.objects.get(kind="webhook")
    assert decrypt(webhook.secret) == secret
    assert webhook.events == NEW["events"]
    page = f"{LIST}{webhook.pk}/change/"
    for path in (LIST, page, f"{LIST}{webhook.pk}/history/", "/admin/audit/change/"):
        shown = office.get(path)
        assert shown.status_code == 200
        assert secret not in shown.content.decode()
    assert f"••••{secret[-4:]}" in office.get(page).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [{"url": "https://127.0.0.1/"}, {"url": "nothing"}, {"events": []}, {"events": ["x"]}],
)
def test_what_is_wrong_is_said_in_the_form(office, wrong):
    page = office.post(f"{LIST}add/", NEW | wrong)
    assert page.status_code == 200
    assert page.context["adminform"].form.errors.keys() == wrong.keys()
    assert not Subscription.objects.filter(kind="webhook").exists()


def test_it_is_changed_and_the_change_is_kept(office):
    webhook = SubscriptionFactory(events=["contact.created"])
    page = f"{LIST}{webhook.pk}/change/"
    form = filled(office.get(page), "subscription_form", events=["contact.closed"])
    assert office.post(page, form).status_code == 302
    webhook.refresh_from_db()
    assert webhook.events == ["contact.closed"]
    [change] = changes_of(webhook)
    assert change.fields == {"events": [["contact.created"], ["contact.closed"]]}


def test_another_secret_is_shown_once(office):
    webhook = SubscriptionFactory()
    assert office.get(f"{LIST}{webhook.pk}/rotate/").status_code == 405
    known = {"instead_of": f"••••{SECRET[-4:]}"}
    assert known["instead_of"] in office.get(f"{LIST}{webhook.pk}/change/").content.decode()
    secret = secret_in(office.post(f"{LIST}{webhook.pk}/rotate/", known))
    webhook.refresh_from_db()
    assert decrypt(webhook.secret) == secret != SECRET
    # As when the page that shows it is loaded again.
    assert office.post(f"{LIST}{webhook.pk}/rotate/", known).status_code == 302
    webhook.refresh_from_db()
    assert decrypt(webhook.secret) == secret


def test_a_test_is_sent(office):
    webhook = SubscriptionFactory()
    page = office.post(f"{LIST}{webhook.pk}/test/", follow=True)
    assert page.status_code == 200
    assert webhook.deliveries.get().event == "webhook.test"


def test_given_up_ones_are_listed_and_sent_again(office):
    webhook = SubscriptionFactory()
    arrive(SourceFactory())
    Delivery.objects.update(state="dead", last_error="timeout", attempts=9)
    assert "state__exact=dead" in office.get(LIST).content.decode()
    narrow = f"{DELIVERIES}?state__exact=dead&subscription__id__exact={webhook.pk}"
    page = office.get(narrow)
    assert page.status_code == 200
    ids = list(Delivery.objects.values_list("pk", flat=True))
    form = {"action": "send_again", "_selected_action": ids}
    assert office.post(narrow, form).status_code == 302
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}


def test_it_is_deleted_with_what_it_was_told(office):
    webhook = SubscriptionFactory()
    send_test(webhook)
    assert office.post(f"{LIST}{webhook.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Delivery.objects.exists()


def test_operators_see_nothing_of_it(client):
    client.force_login(make_operator().user)
    webhook = SubscriptionFactory()
    for path in (LIST, DELIVERIES, f"{LIST}{webhook.pk}/change/"):
        assert client.get(path).status_code == 403
    assert client.post(f"{LIST}{webhook.pk}/rotate/").status_code in (403, 404)
    assert "/admin/events/" not in client.get("/admin/", follow=True).content.decode()


@pytest.mark.parametrize("count", [1, 20])
def test_the_lists_cost_the_same_however_long(office, django_assert_max_num_queries, count):
    for _ in range(count):
        send_test(SubscriptionFactory(source=SourceFactory(), events=["contact.closed"]))
    for path in (LIST, DELIVERIES):
        office.get(path)
        with django_assert_max_num_queries(12):
            office.get(path)
