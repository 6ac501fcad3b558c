"""What is to be known of subscriptions."""

from datetime import timedelta

from django.db.models import Count, Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from contacts.events.models import Delivery, Subscription

State = Delivery.State
# Nobody who sends leaves anything for so long that could be sent.
LATE = timedelta(minutes=1)


def with_counts(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """With `pending` and `dead`: how many deliveries are to be sent, and were given up."""
    return subscriptions.annotate(pending=_count(State.PENDING), dead=_count(State.DEAD))


def _count(state: str) -> Coalesce:
    rows = Delivery.objects.filter(subscription=OuterRef("pk"), state=state).order_by()
    counts = rows.values("subscription").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counts, output_field=IntegerField()), 0)


def counts_by_state() -> dict[str, int]:
    """How many deliveries there are that are to be sent, and that were given up."""
    subscriptions = list(with_counts(Subscription.objects.only("pk").order_by()))
    return {
        State.PENDING: sum(each.pending for each in subscriptions),  # type: ignore[attr-defined]  # annotated
        State.DEAD: sum(each.dead for each in subscriptions),  # type: ignore[attr-defined]  # annotated
    }


def unsent() -> Subscription | None:
    """One for which something waits that should have been sent a while ago, with nobody at it."""
    late = timezone.now() - LATE
    waiting = Delivery.objects.filter(
        subscription=OuterRef("pk"), state=State.PENDING, created_at__lt=late
    )
    left = Subscription.objects.filter(Exists(waiting), is_active=True)
    return left.exclude(leased_until__gt=late).exclude(next_attempt_at__gt=late).first()


def given_up() -> Subscription | None:
    """A webhook that was not told of something, and will not be by itself."""
    dead = Delivery.objects.filter(subscription=OuterRef("pk"), state=State.DEAD)
    webhooks = Subscription.objects.filter(kind=Subscription.Kind.WEBHOOK)
    return webhooks.filter(Exists(dead)).first()
