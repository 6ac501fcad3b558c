"""A database as full as a busy firm's after some years, to measure at."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from contacts.history import Kind
from contacts.models import Contact, DecisionRecord
from contacts.tally.folding import keep_up
from contacts.tally.recounting import count_anew
from contacts.text_index import keep_up_texts
from leads.models import Lead
from operators.models import Operator
from sources.models import Assignment, Source
from stats.benchmark.loading import BATCH, bare, unnoticed, write
from stats.benchmark.progress import Progress, silent

OPERATORS, SOURCES, SERVING, LIMIT = 200, 50, 8, 100
OPEN, WAITING = 4_000, 500
CONTACTS_PER_LEAD = 3
# Ten million in two years. A larger database is one of an older firm, not of a busier one.
PER_DAY = 14_000
MESSAGES = ["Добрый день! Сколько стоит доставка?", "Щенок доберман есть?", "Перезвоните мне"]
LEAD_COLUMNS = [
    *("id", "external_id", "name", "phone", "email"),
    *("phone_e164", "email_key", "created_at"),
]
CONTACT_COLUMNS = [
    *("id", "lead_id", "source_id", "operator_id", "status", "message", "created_at"),
    *("assigned_at", "waiting_since", "closed_at", "handovers"),
]
# From the contacts, for the candidates of a source are always the same: much less to send.
DECIDE = """
INSERT INTO contacts_decisionrecord (
    contact_id, source_id, kind, operator_id, operator_name, strategy, candidates, skipped, odds,
    draw, forced, auto_assign_waiting, actor_type, actor_name, created_at)
SELECT contact.id, contact.source_id, %s, contact.operator_id, operator_name, 'weighted_random',
    candidates, '[]', odds, draw, %s, %s, 'system', '', contact.created_at
FROM contacts_contact contact JOIN benchmark_choice choice
    ON choice.source_id = contact.source_id
    AND choice.chosen_id = COALESCE(contact.operator_id, 0)
WHERE contact.id > %s AND contact.id <= %s
ORDER BY contact.id
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """A source, and one of those who serve it: how they come to a contact. None: it waits."""

    source: Source
    operator: Operator | None
    served_by: list[Operator]

    @property
    def weight(self) -> int:
        return weight(self.served_by.index(self.operator)) if self.operator else 1


def weight(place: int) -> int:
    """Of the operator in that place, from 0, among those who serve a source."""
    return 1 + place % 3


def fill(
    contacts: int,
    *,
    seed: int = 1,
    per_day: int = PER_DAY,
    progress: Progress = silent,
) -> None:
    """Fill an empty database with so many contacts, of a third as many leads, up to now, and a
    decision for each; the newest are open or wait. `progress` is told of what how many of how many
    are there.
    """
    chance = random.Random(seed)
    with transaction.atomic():
        choices = _staff(chance)
    leads = max(1, contacts // CONTACTS_PER_LEAD)
    times = _Times(timezone.now().astimezone(UTC).replace(tzinfo=None), contacts, per_day)
    rows = _contacts(contacts, choices, chance, times)
    closed = max(0, contacts - OPEN - WAITING)
    with bare([Lead, Contact], also=[DecisionRecord]):
        with unnoticed([Lead, Contact]):
            write(Lead, LEAD_COLUMNS, _leads(leads, times), lambda n: progress("leads", n, leads))
            # What triggers keep of a closed contact is counted at the end, at once.
            write(
                Contact,
                CONTACT_COLUMNS,
                islice(rows, closed),
                lambda n: progress("contacts", n, contacts),
            )
        write(Contact, CONTACT_COLUMNS, rows, lambda n: progress("contacts", closed + n, contacts))
        _decide(choices, contacts, lambda n: progress("decisions", n, contacts))
        progress("indexes", 0, 1)
    progress("indexes", 1, 1)
    progress("what the clock adds up", 0, 1)
    count_anew()
    # What is new at the first look can be counted at the second.
    for _ in range(2):
        keep_up(least=1)
        keep_up_texts(least=1)
    progress("what the clock adds up", 1, 1)


@dataclass(frozen=True, slots=True)
class _Times:
    """When which contact came, from 0 on: evenly up to now. In UTC, as databases keep it."""

    now: datetime
    contacts: int
    per_day: int

    def of(self, number: int) -> datetime:
        return self.now - timedelta(days=1) * ((self.contacts - number) / self.per_day)


def _staff(chance: random.Random) -> list[Choice]:
    operators = Operator.objects.bulk_create(
        Operator(name=f"Оператор {n}", max_active_contacts=LIMIT) for n in range(OPERATORS)
    )
    *served, unserved = Source.objects.bulk_create(
        Source(name=f"Источник {n}", code=f"source-{n}") for n in range(SOURCES)
    )
    # In order of their ids, as the choice weighs them.
    serving = {
        each: sorted(chance.sample(operators, SERVING), key=lambda one: one.pk) for each in served
    }
    Assignment.objects.bulk_create(
        Assignment(source=source, operator=operator, weight=weight(place))
        for source, by in serving.items()
        for place, operator in enumerate(by)
    )
    choices = [Choice(source, each, by) for source, by in serving.items() for each in by]
    # Nobody serves the last one: there they wait.
    return [*choices, Choice(unserved, None, [])]


def _leads(count: int, times: _Times) -> Iterator[tuple[Any, ...]]:
    for n in range(count):
        phone = f"{n:07}"
        yield (
            n + 1,
            f"tg:{n}",
            f"Клиент Щукин {n}",
            f"+7 900 {phone}",
            f"client{n}@example.com",
            f"+7900{phone}",
            f"client{n}@example.com",
            str(times.of(n * CONTACTS_PER_LEAD)),
        )


def _contacts(
    count: int, choices: list[Choice], chance: random.Random, times: _Times
) -> Iterator[tuple[Any, ...]]:
    """Oldest first: closed ones, then those that are open, then those that wait."""
    *served, unserved = choices
    # All sources have the same weights, so that each gets as much as another.
    drawn = [
        (each.source.pk, each.operator.pk)
        for each in served
        if each.operator
        for _ in range(each.weight)
    ]
    durations = [timedelta(minutes=minutes) for minutes in range(5, 600)]
    draw = chance.random
    for number in range(count):
        # One who had written by then: the ids of leads are in order of time.
        lead = 1 + int(draw() * min(number // CONTACTS_PER_LEAD + 1, max(1, count // 3)))
        created, left = times.of(number), count - number
        since, message = str(created), MESSAGES[number % len(MESSAGES)]
        if left <= WAITING:
            waits = (unserved.source.pk, None, "new", message, since, None, since, None, 0)
            yield (number + 1, lead, *waits)
            continue
        source, operator = drawn[int(draw() * len(drawn))]
        if left <= WAITING + OPEN:
            status, closed = "new" if draw() < 0.5 else "in_progress", None
        else:
            done = created + durations[int(draw() * len(durations))]
            status, closed = "closed", str(min(done, times.now))
        rest = (status, message, since, since, None, closed, 0)
        yield (number + 1, lead, source, operator, *rest)


def _decide(choices: list[Choice], contacts: int, progress: Callable[[int], None]) -> None:
    kind = DecisionRecord._meta.get_field("candidates").db_type(connection)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE benchmark_choice (source_id bigint, chosen_id bigint,"
            f" operator_name text, candidates {kind}, odds text, draw double precision,"
            " PRIMARY KEY (source_id, chosen_id))"
        )
        cursor.executemany(
            "INSERT INTO benchmark_choice VALUES (%s, %s, %s, %s, %s, %s)",
            [_choice_row(each) for each in choices],
        )
    for start in range(0, contacts, BATCH):
        end = min(contacts, start + BATCH)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(DECIDE, [Kind.CREATE.value, False, True, start, end])
        progress(end)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE benchmark_choice")


def _choice_row(choice: Choice) -> tuple[Any, ...]:
    """With a draw that falls on the operator; None where nobody was drawn."""
    weights = [weight(place) for place in range(len(choice.served_by))]
    candidates = [
        {
            "operator_id": each.pk,
            "operator_name": each.name,
            "weight": its,
            "share": its / sum(weights),
            "current_load": 0,
            "max_active_contacts": LIMIT,
        }
        for each, its in zip(choice.served_by, weights, strict=True)
    ]
    odds = ",".join(f"{each.pk}:{its}" for each, its in zip(choice.served_by, weights, strict=True))
    chosen, draw = 0, None
    if choice.operator:
        place = choice.served_by.index(choice.operator)
        draw = (sum(weights[:place]) + weights[place] / 2) / sum(weights)
        chosen = choice.operator.pk
    name = choice.operator.name if choice.operator else ""
    # As lists.
    kept = DecisionRecord._meta.get_field("candidates").get_prep_value(candidates)
    return (choice.source.pk, chosen, name, json.dumps(kept), odds, draw)
