"""What was told long ago is forgotten by the clock; what is still to be told is not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from contacts.clock import tick
from contacts.events.models import Delivery
from contacts.events.services import send_test
from contacts.events.tests.factories import SubscriptionFactory

pytestmark = pytest.mark.django_db


def aged(days, state, webhook):
    moment = timezone.now() - timedelta(days=days)
    delivery = send_test(webhook)
    told = moment if state == "delivered" else None
    Delivery.objects.filter(pk=delivery.pk).update(
        state=state, created_at=moment, delivered_at=told
    )
    return delivery.pk


def test_old_ones_are_forgotten():
    webhook = SubscriptionFactory()
    kept = {
        *(aged(29, "delivered", webhook), aged(89, "dead", webhook)),
        *(aged(400, "pending", webhook), aged(0, "delivered", webhook)),
    }
    for days, state in ((31, "delivered"), (91, "dead")):
        aged(days, state, webhook)
    tick()
    assert set(Delivery.objects.values_list("pk", flat=True)) == kept


def test_what_a_deleted_webhook_left_behind_is_forgotten():
    webhook = SubscriptionFactory()
    left = aged(31, "pending", webhook)
    # Written while it was being deleted.
    Delivery.objects.filter(pk=left).update(subscription_id=webhook.pk + 1000)
    tick()
    assert not Delivery.objects.exists()
