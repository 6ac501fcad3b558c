"""One answer to a request, however often it is sent: kept under the key that its sender gave it.

The row of the key is inserted first, in the transaction that does the work. So whoever sends the
same key meanwhile waits, at its unique constraint, until that work is kept or undone. Lock order:
a key before everything else, and only one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from contacts.models import IdempotencyKey

# Each new key takes so many expired ones away: they go faster than they come.
PRUNED_AT_ONCE = 10
FORGOTTEN_AT_ONCE = 1_000


class KeyReused(APIException):
    """The key is that of a request with another body."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = _("This Idempotency-Key was sent before with another body. Take a new one.")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body exactly as they are sent; `replayed`: they were kept from before."""

    status: int
    body: str
    replayed: bool = False


@transaction.atomic
def answer_once(
    work: Callable[[], Answer], *, credential: str, endpoint: str, key: str, body: Any
) -> Answer:
    """Do the work and keep its answer; where the key was answered before, do nothing and return
    that answer.

    `body` is the JSON that was sent. Who raises in `work` undoes it, and the key with it. Waits
    for whoever is at work under the same key. Raises KeyReused.
    """
    now = timezone.now()
    expired_before = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    mine = IdempotencyKey(
        credential=credential,
        endpoint=endpoint,
        key=key,
        fingerprint=fingerprint(body),
        created_at=now,
    )
    row = _claim(mine, expired_before)
    if row.status is not None:
        if row.fingerprint != mine.fingerprint:
            raise KeyReused
        return Answer(row.status, row.body, replayed=True)
    answer = work()
    IdempotencyKey.objects.filter(pk=row.pk).update(status=answer.status, body=answer.body)
    _prune(expired_before)
    return answer


def forget_expired(now: datetime) -> None:
    """Delete all expired keys, in parts, save those that somebody is taking at this moment."""
    expired_before = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    while _prune(expired_before, FORGOTTEN_AT_ONCE):
        pass


def fingerprint(body: Any) -> str:
    """The same, in hex, for all ways to write the same JSON.

    Raises RecursionError where it is nested too deeply.
    """
    numbers = json.loads(json.dumps(body), parse_float=_number)
    return sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()


def _number(text: str) -> float:
    """2.0 is 2 to JSON."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _claim(mine: IdempotencyKey, expired_before: datetime) -> IdempotencyKey:
    """The one row of the key: without a status, it is ours to answer.

    Nobody sees a row of others without one, because it is committed with it.
    """
    rows = IdempotencyKey.objects.filter(
        credential=mine.credential, endpoint=mine.endpoint, key=mine.key
    )
    while True:
        # Conflicts are ignored rather than caught: an error would spoil the whole transaction.
        IdempotencyKey.objects.bulk_create([mine], ignore_conflicts=True)
        if row := rows.filter(created_at__gte=expired_before).first():
            return row
        # Expired, or pruned between the two statements.
        rows.filter(created_at__lt=expired_before).delete()


@transaction.atomic
def _prune(expired_before: datetime, most: int = PRUNED_AT_ONCE) -> int:
    """Take so many of the oldest expired keys away, save those that somebody is taking at this
    moment; return how many it were.
    """
    expired = IdempotencyKey.objects.filter(created_at__lt=expired_before).order_by("created_at")
    locked = expired.select_for_update(skip_locked=True).values_list("pk", flat=True)
    ids = list(locked[:most])
    if ids:
        IdempotencyKey.objects.filter(pk__in=ids).delete()
    return len(ids)
