"""Webhooks over the API."""

import pytest
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from access.tests.keys import bearer, make_key
from contacts.events.models import Delivery, Event, Subscription
from contacts.events.services import create_webhook, send_test
from contacts.events.signing import is_secret
from contacts.events.tests.factories import SECRET, SubscriptionFactory
from crm_project.audit.models import Change
from crm_project.encryption import decrypt
from operators.tests.people import make_lead, make_operator
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
NEW = {"name": "Склад", "url": "https://example.com/hook", "events": ["contact.closed"]}


def codes(answer):
    return [(each["attr"], each["code"]) for each in answer.json()["errors"]]


def test_a_new_one_tells_its_secret_once(api):
    answer = api.post("/webhooks", NEW)
    assert answer.status_code == 201
    made = answer.json()
    assert is_secret(made["secret"])
    stored = Subscription.objects.get(kind="webhook")
    assert made["secret"] not in stored.secret
    assert decrypt(stored.secret) == made["secret"]
    shown = api.get(f"/webhooks/{made['id']}").json()
    assert shown["secret"] == f"••••{made['secret'][-4:]}"
    assert {**shown, "secret": ""} == {**made, "secret": ""}
    [change] = Change.objects.all()
    assert made["secret"] not in str(change.fields)
    assert change.fields["url"] == [None, NEW["url"]]


def test_a_secret_of_theirs_is_taken(api):
    assert api.post("/webhooks", {**NEW, "secret": SECRET}).json()["secret"] == SECRET


@pytest.mark.parametrize(
    ("given", "attr", "code"),
    [
        ({"events": []}, "events", "min_length"),
        ({"events": ["contact.exploded"]}, "events.0", "invalid_choice"),
        ({"url": "ftp://example.com/"}, "url", "bad_address"),
        ({"url": "https://user:password@example.com/"}, "url", "bad_address"),
        ({"url": "https://example.com/\r\nX: y"}, "url", "bad_address"),
        ({"url": "https://10.0.0.1/"}, "url", "forbidden_address"),
        ({"url": "https:///x"}, "url", "bad_address"),
        ({"url": ""}, "url", "blank"),
        ({"name": " "}, "name", "blank"),
        ({"secret": "whsec_short"}, "secret", "invalid"),
        ({"secret": "x" * 30}, "secret", "invalid"),
        ({"source_id": 999}, "source_id", "does_not_exist"),
        ({"source_id": 10**30}, "source_id", "max_value"),
    ],
)
def test_what_is_wrong_is_said(api, given, attr, code):
    answer = api.post("/webhooks", NEW | given)
    assert (answer.status_code, codes(answer)) == (400, [(attr, code)])
    assert not Subscription.objects.filter(kind="webhook").exists()


def test_new_leads_are_of_no_source(api):
    body = {**NEW, "events": ["lead.created"], "source_id": SourceFactory().pk}
    assert codes(api.post("/webhooks", body)) == [("events", "invalid")]


def test_plain_http_is_refused_in_production(api, settings):
    settings.PRODUCTION = True
    answer = api.post("/webhooks", NEW | {"url": "http://example.com/"})
    assert codes(answer) == [("url", "plain_http")]


def test_it_is_changed_listed_and_deleted(api):
    webhook, source = SubscriptionFactory(failures=3, failing_since=timezone.now()), SourceFactory()
    change = {"events": ["contact.closed", "contact.created"], "source_id": source.pk}
    answer = api.patch(f"/webhooks/{webhook.pk}", change)
    assert answer.status_code == 200
    # In one order, whatever theirs was.
    assert answer.json()["events"] == ["contact.created", "contact.closed"]
    assert answer.json()["source_id"] == source.pk
    assert answer.json()["failures"] == 3
    assert api.get("/webhooks").json()["count"] == 1
    assert api.delete(f"/webhooks/{webhook.pk}").status_code == 204
    assert api.get("/webhooks").json()["results"] == []
    kept = Change.objects.order_by("pk").values_list("action", flat=True)
    assert list(kept) == ["change", "delete"]


def test_switched_on_again_it_is_tried_at_once(api):
    webhook = SubscriptionFactory(
        is_active=False, failures=3, failing_since=timezone.now(), deactivated_because="gone"
    )
    answer = api.patch(f"/webhooks/{webhook.pk}", {"is_active": True}).json()
    assert (answer["failures"], answer["next_attempt_at"], answer["deactivated_because"]) == (
        0,
        None,
        "",
    )


def test_another_secret_is_told_once_and_kept_account_of(api):
    webhook = SubscriptionFactory()
    secret = api.post(f"/webhooks/{webhook.pk}/rotate-secret").json()["secret"]
    webhook.refresh_from_db()
    assert decrypt(webhook.secret) == secret != SECRET
    [change] = Change.objects.all()
    assert change.fields == {"secret": [f"••••{SECRET[-4:]}", f"••••{secret[-4:]}"]}


def test_a_secret_that_cannot_be_read_any_more_is_no_error(api, settings):
    webhook = SubscriptionFactory()
    settings.SECRET_KEY = "another" * 10
    assert api.get(f"/webhooks/{webhook.pk}").json()["secret"] == ""
    assert api.post(f"/webhooks/{webhook.pk}/rotate-secret").status_code == 200


def test_a_test_is_written_into_the_outbox(api):
    webhook = SubscriptionFactory()
    answer = api.post(f"/webhooks/{webhook.pk}/test")
    assert answer.status_code == 201
    assert answer.json()["event"] == "webhook.test"
    assert webhook.deliveries.get().state == "pending"
    Subscription.objects.update(is_active=False)
    answer = api.post(f"/webhooks/{webhook.pk}/test")
    assert (answer.status_code, codes(answer)) == (409, [(None, "webhook_inactive")])


def test_deliveries_are_pages_by_state(api):
    webhook = SubscriptionFactory()
    made = [send_test(webhook).pk for _ in range(3)]
    send_test(SubscriptionFactory())
    Delivery.objects.filter(pk=made[0]).update(state="dead")
    url = f"/webhooks/{webhook.pk}/deliveries"
    first = api.get(f"{url}?page_size=2").json()
    second = api.get(first["next"]).json()
    shown = [each["id"] for page in (first, second) for each in page["results"]]
    assert shown == sorted(made, reverse=True)
    assert [each["id"] for each in api.get(f"{url}?state=dead").json()["results"]] == made[:1]
    assert codes(api.get(f"{url}?state=lost")) == [("state", "invalid_choice")]
    assert api.get("/webhooks/999/deliveries").status_code == 404


def test_what_was_given_up_is_sent_again(api):
    webhook = SubscriptionFactory(next_attempt_at=timezone.now())
    delivery = send_test(webhook)
    url = f"/webhooks/{webhook.pk}/deliveries/{delivery.pk}/resend"
    answer = api.post(url)
    assert (answer.status_code, codes(answer)) == (409, [(None, "delivery_pending")])
    Delivery.objects.update(state="dead", attempts=16, last_error="status")
    answer = api.post(url)
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["attempts"]) == ("pending", 0)
    assert api.post(f"/webhooks/{webhook.pk}/deliveries/{10**30}/resend").status_code == 404
    other = SubscriptionFactory()
    assert api.post(url.replace(f"/{webhook.pk}/", f"/{other.pk}/", 1)).status_code == 404


@pytest.mark.parametrize("scope", ["read", "intake", "manage"])
def test_a_key_needs_all_rights(api, settings, scope):
    settings.API_IS_OPEN = False
    _key, text = make_key(scope, *([SourceFactory()] if scope == "intake" else []))
    status = 200 if scope == "manage" else 403
    assert api.get("/webhooks", **bearer(text)).status_code == status


@pytest.mark.parametrize(("make", "right"), [(make_lead, True), (make_operator, False)])
def test_team_leads_may_and_operators_may_not(api, settings, make, right):
    settings.API_IS_OPEN = False
    person = make()
    api.force_login(getattr(person, "user", person))
    webhook = SubscriptionFactory()
    page = f"/webhooks/{webhook.pk}"
    answers = [
        api.get("/webhooks"),
        api.get(page),
        api.get(f"{page}/deliveries"),
        api.patch(page, {"name": "x"}),
        api.post(f"{page}/test"),
        api.post(f"{page}/rotate-secret"),
        api.post("/webhooks", NEW),
        api.delete(page),
    ]
    allowed = [200, 200, 200, 200, 201, 200, 201, 204]
    expected = allowed if right else [403] * len(answers)
    assert [answer.status_code for answer in answers] == expected


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_costs_the_same_however_long(api, django_assert_max_num_queries, count):
    for _ in range(count):
        send_test(SubscriptionFactory(source=SourceFactory(), events=[Event.CONTACT_CLOSED]))
    with django_assert_max_num_queries(3):
        assert len(api.get("/webhooks").json()["results"]) == count


def test_a_webhook_of_no_event_is_refused_whoever_makes_it():
    with pytest.raises(ValidationError) as raised:
        create_webhook(Subscription(**NEW | {"events": []}))
    assert raised.value.get_codes() == {"events": ["empty"]}
