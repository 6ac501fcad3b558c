"""What becomes of a delivery that was tried, each in a short transaction of its own."""

import logging
import random
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from contacts.events.failures import Failure
from contacts.events.models import Delivery, Subscription
from contacts.events.sending import Answer

State = Delivery.State
GONE = 410
# In seconds, from one failed attempt to the next one; the last for all that follow.
BACK_OFF = (5, 30, 120, 600, 1_800, 3_600, 10_800, 21_600)
LONGEST_ASKED_FOR = 3_600
# A receiver that has failed for so long is told of nothing that is as old.
PATIENCE = timedelta(days=3)

logger = logging.getLogger(__name__)


def settle(
    delivery: Delivery, answer: Answer | None, failure: Failure | None, *, now: datetime
) -> bool:
    """Keep what came of the attempt; may the next one of the subscription be sent at once?"""
    status = answer.status if answer else None
    if status is not None and 200 <= status < 300:
        _delivered(delivery, status, now)
        return True
    if failure == Failure.RECIPIENT:
        # A matter of this one alone, which no waiting mends.
        _noted(delivery, None, failure).update(state=State.DEAD)
        return True
    failure = failure or Failure.STATUS
    fields = {"subscription": delivery.subscription_id, "delivery": delivery.pk}
    fields |= {"failure": failure.value, "status": status}
    logger.warning("an event could not be delivered", extra={"fields": fields})
    if status == GONE:
        _switch_off(delivery, status)
        return False
    return _failed(delivery, answer, failure, now)


def _delivered(delivery: Delivery, status: int, now: datetime) -> None:
    with transaction.atomic():
        _noted(delivery, status, None).update(state=State.DELIVERED, delivered_at=now)
        Subscription.objects.filter(pk=delivery.subscription_id, failures__gt=0).update(
            failures=0, failing_since=None, next_attempt_at=None
        )


def _failed(delivery: Delivery, answer: Answer | None, failure: Failure, now: datetime) -> bool:
    """Try again later; what is too old is given up, and makes way for the next one.

    Where nobody answers, all that is too old goes together: each would take its time.
    """
    subscription = delivery.subscription
    since = subscription.failing_since or now
    given_up = max(since, delivery.created_at) < now - PATIENCE
    wait = timedelta(seconds=0 if given_up and answer else _wait(subscription.failures, answer))
    with transaction.atomic():
        tried = _noted(delivery, answer.status if answer else None, failure)
        if given_up:
            tried.update(state=State.DEAD)
            if not answer:
                old = _pending(subscription.pk).filter(created_at__lt=now - PATIENCE)
                old.update(state=State.DEAD, last_error=failure)
        Subscription.objects.filter(pk=subscription.pk).update(
            failures=F("failures") + 1, failing_since=since, next_attempt_at=now + wait
        )
    return given_up and answer is not None


def _switch_off(delivery: Delivery, status: int) -> None:
    """The receiver wants nothing more, for ever."""
    with transaction.atomic():
        _noted(delivery, status, Failure.STATUS)
        _pending(delivery.subscription_id).update(state=State.DEAD)
        Subscription.objects.filter(pk=delivery.subscription_id).update(
            is_active=False, deactivated_because=Subscription.Because.GONE
        )


def _noted(delivery: Delivery, status: int | None, failure: Failure | None) -> QuerySet[Delivery]:
    """The delivery, if it is still to be sent, with what came of the attempt."""
    tried = _pending(delivery.subscription_id).filter(pk=delivery.pk)
    tried.update(attempts=F("attempts") + 1, response_status=status, last_error=failure or "")
    return tried


def _pending(subscription_id: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(subscription=subscription_id, state=State.PENDING)


def _wait(failures: int, answer: Answer | None) -> float:
    """In seconds, after so many failures before this one."""
    if answer and answer.status in (429, 503) and answer.retry_after is not None:
        return min(answer.retry_after, LONGEST_ASKED_FOR)
    return BACK_OFF[min(failures, len(BACK_OFF) - 1)] * random.uniform(0.8, 1.2)
