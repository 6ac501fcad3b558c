"""What may be forgotten once it is old: decisions, and rotations that stand still."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate

from contacts.models import Contact, DecisionRecord, Rotation
from contacts.tally import marks
from contacts.tally.folding import count_draws_anew

# So many records are looked at in one transaction.
BATCH = 5_000


def old_records(before: datetime) -> Iterator[QuerySet[DecisionRecord]]:
    """The decisions made before then, in bounded parts, to be counted or deleted one by one.

    The newest of an open contact is none of them: it tells why its operator has it. Walks along
    the ids, which follow the time, and ends at the first part in which nothing is old.
    """
    later = DecisionRecord.objects.filter(contact=OuterRef("contact"), pk__gt=OuterRef("pk"))
    needless = Q(contact__status=Contact.Status.CLOSED) | Exists(later)
    old = DecisionRecord.objects.filter(needless, created_at__lt=before).order_by()
    last = 0
    while True:
        following = DecisionRecord.objects.filter(pk__gt=last).order_by("pk")
        rows = list(following.values_list("pk", "created_at")[:BATCH])
        if not any(created_at < before for _, created_at in rows):
            return
        first, last = last, rows[-1][0]
        yield old.filter(pk__gt=first, pk__lte=last)


def delete_records(part: QuerySet[DecisionRecord]) -> int:
    """Delete the records, and take their draws out of the tally; how many they were."""
    with transaction.atomic():
        marks.lock(marks.DRAWS)
        # Looked for once: what is old may have become more by the next statement.
        day = TruncDate("created_at", tzinfo=UTC)
        rows = list(part.values_list("pk", "source", day, "odds"))
        DecisionRecord.objects.filter(pk__in=[pk for pk, *_ in rows]).delete()
        count_draws_anew({(source_id, created) for _, source_id, created, odds in rows if odds})
    return len(rows)


def old_rotations(before: datetime) -> QuerySet[Rotation]:
    """Rotations that nobody has moved on since; what comes again begins a new cycle."""
    return Rotation.objects.filter(updated_at__lt=before)
