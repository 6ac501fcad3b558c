"""What may be forgotten once it is old: decisions, and rotations that stand still."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from contacts.models import Contact, DecisionRecord, Rotation

# So many records are looked at in one transaction.
BATCH = 5_000


def old_records(before: datetime) -> Iterator[QuerySet[DecisionRecord]]:
    """The decisions made before then, in bounded parts, to be counted or deleted one by one.

    The newest of an open contact is none of them: it tells why its operator has it. Walks along
    the ids, which follow the time, and ends at the first part in which nothing is old.
    """
    same = DecisionRecord.objects.filter(contact=OuterRef("contact")).order_by("-pk")
    needed = Q(newest=F("pk")) & ~Q(contact__status=Contact.Status.CLOSED)
    last = 0
    while True:
        following = DecisionRecord.objects.filter(pk__gt=last).order_by("pk")
        rows = list(following.values_list("pk", "created_at")[:BATCH])
        old = [pk for pk, created_at in rows if created_at < before]
        if not old:
            return
        last = rows[-1][0]
        part = DecisionRecord.objects.filter(pk__in=old).annotate(
            newest=Subquery(same.values("pk")[:1])
        )
        yield DecisionRecord.objects.filter(
            pk__in=list(part.exclude(needed).values_list("pk", flat=True))
        )


def old_rotations(before: datetime) -> QuerySet[Rotation]:
    """Rotations that nobody has moved on since; what comes again begins a new cycle."""
    return Rotation.objects.filter(updated_at__lt=before)
