"""A database as full as a busy firm's after some years, to measure at."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from contacts.history import Kind
from contacts.models import Contact, DecisionRecord
from leads.models import Lead
from operators.models import Operator
from sources.models import Assignment, Source

OPERATORS, SOURCES, SERVING, LIMIT = 200, 50, 8, 100
OPEN, WAITING = 4_000, 500
YEARS = timedelta(days=730)
BATCH = 5_000
MESSAGES = ["Добрый день! Сколько стоит доставка?", "Щенок доберман есть?", "Перезвоните мне"]


def fill(contacts: int, *, seed: int, progress: Callable[[int], None]) -> None:
    """Fill an empty database with so many contacts over two years, of a third as many leads, and
    a decision for each. `progress` is told how many are written.
    """
    source_of_chance, now = random.Random(seed), timezone.now()
    operators = Operator.objects.bulk_create(
        Operator(name=f"Оператор {n}", max_active_contacts=LIMIT) for n in range(OPERATORS)
    )
    sources = Source.objects.bulk_create(
        Source(name=f"Источник {n}", code=f"source-{n}") for n in range(SOURCES)
    )
    # In order of their ids, as the choice weighs them.
    serving = {
        each: sorted(source_of_chance.sample(operators, SERVING), key=lambda one: one.pk)
        for each in sources
    }
    Assignment.objects.bulk_create(
        Assignment(source=source, operator=operator, weight=1 + n % 3)
        for source, served in serving.items()
        for n, operator in enumerate(served)
    )
    # Nobody serves the last one: there they wait.
    serving[sources[-1]] = []
    Assignment.objects.filter(source=sources[-1]).delete()
    leads = _leads(max(1, contacts // 3), now)
    rows = _contacts(contacts, serving, leads, source_of_chance, now)
    written = 0
    while batch := list(islice(rows, BATCH)):
        with transaction.atomic():
            made = Contact.objects.bulk_create(batch)
            DecisionRecord.objects.bulk_create(_decision(each, serving) for each in made)
        written += len(batch)
        progress(written)


def _leads(count: int, now: datetime) -> list[int]:
    for start in range(0, count, BATCH):
        Lead.objects.bulk_create(
            Lead(
                external_id=f"tg:{n}",
                name=f"Клиент Щукин {n}",
                phone=f"+7 900 {n:07}",
                phone_e164=f"+7900{n:07}",
                created_at=now - YEARS * (1 - n / count),
            )
            for n in range(start, min(count, start + BATCH))
        )
    return list(Lead.objects.order_by("pk").values_list("pk", flat=True))


def _contacts(
    count: int,
    serving: dict[Source, list[Operator]],
    leads: list[int],
    chance: random.Random,
    now: datetime,
) -> Iterator[Contact]:
    """Oldest first: closed ones, then those that are open, some of which wait."""
    served, unserved = list(serving)[:-1], list(serving)[-1]
    for number in range(count):
        created = now - YEARS * (1 - number / count)
        left = count - number
        common: dict[str, Any] = {
            "lead_id": chance.choice(leads),
            "message": MESSAGES[number % len(MESSAGES)],
            "created_at": created,
        }
        if left <= WAITING:
            yield Contact(**common, source=unserved, waiting_since=created)
            continue
        source = chance.choice(served)
        common |= {"source": source, "operator": chance.choice(serving[source])}
        if left <= WAITING + OPEN:
            status = chance.choice(["new", "in_progress"])
            yield Contact(**common, status=status, assigned_at=created)
        else:
            closed = created + timedelta(minutes=chance.randint(5, 600))
            yield Contact(**common, status="closed", assigned_at=created, closed_at=closed)


def _draw_for(contact: Contact, candidates: list[Operator]) -> float | None:
    """A draw that falls on the contact's operator; None where nobody was drawn."""
    if contact.operator is None:
        return None
    weights = [1 + n % 3 for n in range(len(candidates))]
    place = candidates.index(contact.operator)
    return (sum(weights[:place]) + weights[place] / 2) / sum(weights)


def _decision(contact: Contact, serving: dict[Source, list[Operator]]) -> DecisionRecord:
    candidates = serving[contact.source]
    return DecisionRecord(
        contact=contact,
        source=contact.source,
        kind=Kind.CREATE,
        operator_id=contact.operator_id,
        operator_name=contact.operator.name if contact.operator else "",
        strategy="weighted_random",
        candidates=[
            {
                "operator_id": each.pk,
                "operator_name": each.name,
                "weight": 1 + n % 3,
                "share": 1 / len(candidates),
                "current_load": 0,
                "max_active_contacts": LIMIT,
            }
            for n, each in enumerate(candidates)
        ],
        odds=",".join(f"{each.pk}:{1 + n % 3}" for n, each in enumerate(candidates)),
        draw=_draw_for(contact, candidates),
        actor_type="system",
        created_at=contact.created_at,
    )
