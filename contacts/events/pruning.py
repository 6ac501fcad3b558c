"""What was told long ago is forgotten."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from contacts.events.models import Delivery, Subscription

DELIVERED_DAYS, DEAD_DAYS = 30, 90
AT_ONCE = 1_000


def prune_deliveries() -> int:
    """Delete some of what is past its time; how many. What is still to be sent stays."""
    now = timezone.now()
    short, long = now - timedelta(days=DELIVERED_DAYS), now - timedelta(days=DEAD_DAYS)
    subscription = Subscription.objects.filter(pk=OuterRef("subscription"))
    # One may have been written while its subscription was being deleted.
    old = Delivery.objects.filter(
        Q(state=Delivery.State.DELIVERED)
        | Q(state=Delivery.State.DEAD, created_at__lt=long)
        | ~Exists(subscription),
        created_at__lt=short,
    ).order_by("created_at")
    found = list(old.values_list("pk", flat=True)[:AT_ONCE])
    # By its state again: somebody may have sent for it meanwhile.
    gone = Delivery.objects.filter(pk__in=found).exclude(
        Exists(subscription), state=Delivery.State.PENDING
    )
    return gone.delete()[0] if found else 0
