"""Sends what the outbox holds: to each receiver in order, to all of them at once.

Whoever sends for a subscription has it leased for a while, by an update under a condition, so that
several processes may do this at once. The threads only wait for the network: no transaction and no
lock is open meanwhile, and the database is asked by one of us alone.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import Error, connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from contacts.events import mail, telegram, webhook
from contacts.events.failures import Failure, SendingError
from contacts.events.models import Delivery, Subscription
from contacts.events.outcomes import settle
from contacts.events.sending import SECONDS as REQUEST_SECONDS
from contacts.events.sending import Answer

# How each kind of subscription is told: what prepares a delivery and returns what sends it.
PREPARED: dict[str, Callable[[Delivery], Callable[[], Answer]]] = {
    Subscription.Kind.WEBHOOK: webhook.prepared,
    Subscription.Kind.TELEGRAM: telegram.prepared,
    Subscription.Kind.EMAIL: mail.prepared,
}
AT_ONCE = 64
# After so many, or so long, others get their turn.
MOST, SLICE_SECONDS = 20, 5.0
# Of who was killed nobody is told for so long.
LEASE = timedelta(seconds=30)
# How often to look for what is new, and after how long again where the database fails.
LOOK_SECONDS, AWAY_SECONDS = 1.0, 5.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Turn:
    """A subscription that is ours to send for."""

    subscription_id: int
    leased_until: datetime
    sent: int = 0
    began: float = field(default_factory=time.monotonic)

    def may_go_on(self) -> bool:
        in_time = timezone.now() + timedelta(seconds=REQUEST_SECONDS) < self.leased_until
        quick = time.monotonic() - self.began < SLICE_SECONDS
        return in_time and quick and self.sent < MOST


class Courier:
    """`run` sends until it is stopped; `sent` counts the attempts."""

    def __init__(self, *, stopped: threading.Event, once: bool = False) -> None:
        self.stopped, self.once = stopped, once
        self.sent = 0
        self._under_way: dict[Future[Answer], tuple[Turn, Delivery]] = {}
        self._look_at = 0.0

    def run(self) -> None:
        """What is under way when it is stopped comes to its end. Raises Error, of the database,
        only where it is to send once.
        """
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="deliver") as pool:
            while True:
                try:
                    if not self._step(pool):
                        return
                except Error as error:
                    if self.once:
                        raise
                    logger.warning("the database fails, going on", exc_info=error)
                    # What was sent is sent again: nobody has written that it was.
                    self._under_way.clear()
                    connection.close()
                    self.stopped.wait(AWAY_SECONDS)

    def _step(self, pool: ThreadPoolExecutor) -> bool:
        """Is there more to do?"""
        found = self._look(pool)
        if self._under_way:
            done, pending = wait(self._under_way, LOOK_SECONDS, FIRST_COMPLETED)
            for future in done:
                self._settle(future, pool)
            for future in pending:
                _renew(self._under_way[future][0])
            return True
        if self.stopped.is_set() or (self.once and not found):
            return False
        if not found:
            self.stopped.wait(LOOK_SECONDS)
        return True

    def _look(self, pool: ThreadPoolExecutor) -> bool:
        """Begin with those that are due, unless that was done a moment ago; were there any?"""
        if self.stopped.is_set() or (self._under_way and time.monotonic() < self._look_at):
            return False
        self._look_at = time.monotonic() + LOOK_SECONDS
        found = False
        ours = {turn.subscription_id for turn, _ in self._under_way.values()}
        for turn in _turns(AT_ONCE - len(self._under_way), but=ours):
            found = True
            self._go_on(turn, pool)
        return found

    def _go_on(self, turn: Turn, pool: ThreadPoolExecutor) -> None:
        """Send the next one, or let others have the subscription."""
        while not self.stopped.is_set() and turn.may_go_on():
            delivery = _next(turn)
            if delivery is None:
                break
            turn.sent += 1
            self.sent += 1
            try:
                send = PREPARED[delivery.subscription.kind](delivery)
            except Error:
                raise
            except Exception as error:  # a fault in one must not end the sending of all
                settle(delivery, None, _failure(error), now=timezone.now())
                break
            self._under_way[pool.submit(send)] = turn, delivery
            return
        else:
            # There may be more.
            self._look_at = 0.0
        _give_back(turn)

    def _settle(self, future: Future[Answer], pool: ThreadPoolExecutor) -> None:
        turn, delivery = self._under_way.pop(future)
        answer, failure = _outcome(future)
        if settle(delivery, answer, failure, now=timezone.now()):
            self._go_on(turn, pool)
        else:
            _give_back(turn)


def _outcome(future: Future[Answer]) -> tuple[Answer | None, Failure | None]:
    try:
        return future.result(), None
    except Exception as error:  # a fault in one must not end the sending of all
        return None, _failure(error)


def _failure(error: Exception) -> Failure:
    if isinstance(error, SendingError):
        return error.failure
    logger.error("an event could not be sent, by a fault of ours", exc_info=error)
    return Failure.OURS


def _free(now: datetime) -> QuerySet[Subscription]:
    """Those that may be told now, and that nobody sends for."""
    return Subscription.objects.filter(
        Q(leased_until=None) | Q(leased_until__lte=now),
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
        is_active=True,
        kind__in=list(PREPARED),
    )


def _turns(most: int, *, but: Collection[int]) -> Iterator[Turn]:
    """Lease those for which there is something to send, who waited longest first. Not those that
    are under way, even if we were held up and their leases have ended.
    """
    now = timezone.now()
    pending = Delivery.objects.filter(subscription=OuterRef("pk"), state=Delivery.State.PENDING)
    due = _free(now).filter(Exists(pending)).exclude(pk__in=but)
    first = due.order_by(F("leased_until").asc(nulls_first=True), "pk")
    for pk in list(first.values_list("pk", flat=True)[:most]):
        until = timezone.now() + LEASE
        if _free(now).filter(pk=pk).update(leased_until=until):
            yield Turn(pk, until)


def _renew(turn: Turn) -> None:
    """Keep the subscription for as long as an attempt takes: a name that is looked up, or a server
    of mail, may take longer than the lease.
    """
    now = timezone.now()
    if turn.leased_until - now < LEASE / 2:
        leased = Subscription.objects.filter(
            pk=turn.subscription_id, leased_until=turn.leased_until
        )
        if leased.update(leased_until=now + LEASE):
            turn.leased_until = now + LEASE


def _next(turn: Turn) -> Delivery | None:
    """None: there is none, or the subscription is not ours, or not active, any more."""
    return (
        Delivery.objects.filter(
            subscription=turn.subscription_id,
            state=Delivery.State.PENDING,
            subscription__is_active=True,
            subscription__leased_until=turn.leased_until,
        )
        .select_related("subscription")
        .order_by("pk")
        .first()
    )


def _give_back(turn: Turn) -> None:
    """From now on others may have it; who had it last gets it last."""
    leased = Subscription.objects.filter(pk=turn.subscription_id, leased_until=turn.leased_until)
    leased.update(leased_until=timezone.now())
