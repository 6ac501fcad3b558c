"""What is in the outbox reaches who has subscribed, in order, whatever the receiver does."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.core.management import call_command
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from contacts.erasing import erase_lead
from contacts.events import delivering, outcomes
from contacts.events.models import Delivery, Subscription
from contacts.events.services import change_webhook, resend, send_test
from contacts.events.tests.factories import SECRET, SubscriptionFactory
from contacts.events.tests.receiver import receiving
from contacts.services import change_status
from contacts.tests.scenes import arrive, serve
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
State = Delivery.State


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


def deliver():
    call_command("deliver_events", once=True, verbosity=0)


def let_time_pass():
    """What waits for another attempt waits no longer."""
    Subscription.objects.update(next_attempt_at=None)


def types(receiver):
    return [json.loads(body)["type"] for _path, _headers, body in receiver.got]


def states():
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def test_each_event_is_posted_signed_as_the_specification_says():
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url, events=["contact.assigned"])
        source = SourceFactory()
        operator = serve(source)
        contact, _ = arrive(source, "tg:1", now=timezone.now())
        deliver()
    [(path, headers, body)] = receiver.got
    assert path == "/hook"
    told = Webhook(SECRET).verify(body, headers)
    assert told["type"] == "contact.assigned"
    assert told["data"]["contact"]["id"] == contact.pk
    assert told["data"]["contact"]["operator_id"] == operator.pk
    assert told["data"]["contact"]["operator_name"] == operator.name
    assert told["data"]["lead"]["external_id"] == "tg:1"
    # The same once more, by hand.
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert headers["Content-Type"] == "application/json"
    [delivery] = Delivery.objects.all()
    assert headers["webhook-id"] == f"msg_{webhook.prefix}_{delivery.pk}"
    assert (delivery.state, delivery.attempts, delivery.response_status) == ("delivered", 1, 204)


def test_all_events_come_in_their_order():
    with receiving() as receiver:
        SubscriptionFactory(url=receiver.url)
        source = SourceFactory()
        arrive(source, "a")
        serve(source)
        contact, _ = arrive(source, "b")
        change_status(contact.pk, status="closed")
        deliver()
    assert types(receiver) == [
        *("lead.created", "contact.created", "contact.waiting"),
        *("lead.created", "contact.assigned", "contact.created", "contact.assigned"),
        "contact.closed",
    ]


def test_more_than_one_turn_can_hold_is_sent():
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        sent = [send_test(webhook).pk for _ in range(2 * delivering.MOST + 5)]
        deliver()
    ids = [int(headers["webhook-id"].rpartition("_")[2]) for _, headers, _ in receiver.got]
    assert ids == sent


def test_a_failed_one_is_tried_again_under_its_id_before_those_after_it():
    with receiving(500, 302) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        send_test(webhook)
        send_test(webhook)
        deliver()
        assert states() == ["pending", "pending"]
        webhook.refresh_from_db()
        assert webhook.failures == 1
        wait = (webhook.next_attempt_at - timezone.now()).total_seconds()
        assert 0 < wait < 7
        deliver()
        assert len(receiver.got) == 1
        let_time_pass()
        deliver()
        let_time_pass()
        deliver()
    ids = [headers["webhook-id"] for _path, headers, _body in receiver.got]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert states() == ["delivered", "delivered"]
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.failing_since, webhook.next_attempt_at) == (0, None, None)


def test_each_attempt_waits_longer_up_to_six_hours():
    # Without jitter.
    waits = [outcomes._wait(failures, None) for failures in range(12)]
    for wait, expected in zip(waits, [*outcomes.BACK_OFF, *[21_600] * 4], strict=True):
        assert 0.8 * expected <= wait <= 1.2 * expected


def answer_with(status, **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


@pytest.mark.parametrize(
    ("status", "asked", "least", "most"),
    [
        (429, "120", 110, 121),
        (503, "120", 110, 121),
        (503, "999999", 3590, 3601),
        (500, "120", 0, 7),
        (503, "Fri, 27 Nov 2026 12:00:00 GMT", 0, 7),
        (429, "-5", 0, 7),
    ],
)
def test_who_asks_to_wait_is_obeyed_up_to_an_hour(status, asked, least, most):
    with receiving(answer_with(status, Retry_After=asked)) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        send_test(webhook)
        deliver()
    webhook.refresh_from_db()
    assert least <= (webhook.next_attempt_at - timezone.now()).total_seconds() <= most


def test_who_is_gone_is_told_of_nothing_more():
    with receiving(410) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        send_test(webhook)
        send_test(webhook)
        deliver()
        arrive(SourceFactory())
        deliver()
    assert states() == ["dead", "dead"]
    assert len(receiver.got) == 1
    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.deactivated_because) == (False, "gone")


def fail_for(webhook, days):
    long_ago = timezone.now() - timedelta(days=days)
    Subscription.objects.filter(pk=webhook.pk).update(failing_since=long_ago, failures=9)


def test_what_is_refused_for_three_days_makes_way_for_the_next_one():
    with receiving(500, 204) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        first, second = send_test(webhook), send_test(webhook)
        old = timezone.now() - timedelta(days=3, minutes=1)
        Delivery.objects.filter(pk=first.pk).update(created_at=old)
        fail_for(webhook, days=4)
        deliver()
    assert states() == ["dead", "delivered"]
    first.refresh_from_db()
    assert (first.response_status, first.last_error) == (500, "status")
    assert second.pk > first.pk


def test_of_who_is_silent_for_three_days_all_that_is_as_old_is_given_up():
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
    for _ in range(3):
        send_test(webhook)
    new = send_test(webhook)
    old = timezone.now() - timedelta(days=3, minutes=1)
    Delivery.objects.exclude(pk=new.pk).update(created_at=old)
    fail_for(webhook, days=4)
    deliver()
    assert states() == ["dead", "dead", "dead", "pending"]


def test_nothing_is_given_up_because_nobody_sent_for_a_week():
    with receiving(500) as receiver:
        send_test(SubscriptionFactory(url=receiver.url))
        Delivery.objects.update(created_at=timezone.now() - timedelta(days=7))
        deliver()
    assert states() == ["pending"]


def test_one_switched_off_keeps_what_waits_and_hears_nothing_of_the_meantime():
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        arrive(SourceFactory(), "a")
        change_webhook(webhook, {"is_active": False})
        arrive(SourceFactory(), "b")
        deliver()
        assert receiver.got == []
        change_webhook(webhook, {"is_active": True})
        deliver()
    assert types(receiver) == ["lead.created", "contact.created", "contact.waiting"]


def test_a_dead_letter_is_sent_again_when_somebody_wants_it():
    with receiving(410) as receiver:
        webhook = SubscriptionFactory(url=receiver.url)
        delivery = send_test(webhook)
        deliver()
        change_webhook(webhook, {"is_active": True})
        deliver()
        assert len(receiver.got) == 1
        delivery.refresh_from_db()
        resend(delivery)
        deliver()
    assert states() == ["delivered"]


def test_what_was_erased_meanwhile_is_not_told():
    with receiving() as receiver:
        SubscriptionFactory(url=receiver.url, events=["contact.created"])
        contact, _ = arrive(SourceFactory(), "tg:77")
        contact.lead.name = "Мария"
        contact.lead.save(update_fields=["name"])
        change_status(contact.pk, status="closed")
        erase_lead(contact.lead_id)
        deliver()
    [(_path, _headers, body)] = receiver.got
    assert b"tg:77" not in body
    assert "Мария".encode() not in body


def drip(handler):
    try:
        for _ in range(600):
            handler.wfile.write(b"H")
            time.sleep(0.1)
    except OSError:
        pass


def hang(handler):
    time.sleep(3)


@pytest.mark.parametrize("answer", [drip, hang])
def test_no_receiver_holds_up_another_one(answer, monkeypatch):
    monkeypatch.setattr("contacts.events.sending.SECONDS", 1.5)
    monkeypatch.setattr("contacts.events.sending.post.__kwdefaults__", {"seconds": 1.5})
    with receiving(answer) as slow, receiving() as quick:
        send_test(SubscriptionFactory(url=slow.url))
        webhook = SubscriptionFactory(url=quick.url)
        for _ in range(30):
            send_test(webhook)
        began = time.monotonic()
        deliver()
        assert time.monotonic() - began < 10
    assert len(quick.got) == 30
    first = Delivery.objects.order_by("pk").first()
    assert (first.state, first.last_error) == ("pending", "timeout")


def test_it_costs_few_queries_for_each(django_assert_max_num_queries, monkeypatch):
    # It looks once more after each of these.
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 60)
    with receiving() as receiver:
        webhook = SubscriptionFactory(url=receiver.url, events=["contact.created"])
        source = SourceFactory()
        for number in range(10):
            arrive(source, f"{number}")
        assert webhook.deliveries.count() == 10
        with django_assert_max_num_queries(75):
            deliver()
