"""Contacts and decisions as rows (`crm_project.copying`): many at once, and on SQLite one, too.

Each as the ORM would write it.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from django.db import connection

from contacts.distribution import (
    SMOOTH_WEIGHTED,
    WEIGHTED_RANDOM,
    Candidate,
    Decision,
    Skipped,
)
from contacts.history import Noted, odds_as_text, record
from contacts.models import Contact, DecisionRecord
from crm_project.actor import Actor
from crm_project.copying import MANY, Cell, insert, moment, take_ids
from crm_project.statements import run

CONTACT_COLUMNS = [
    "id",
    "lead_id",
    "source_id",
    "operator_id",
    "status",
    "message",
    "created_at",
    "assigned_at",
    "waiting_since",
    "handovers",
]
DECISION_COLUMNS = [
    "contact_id",
    "source_id",
    "kind",
    "operator_id",
    "operator_name",
    "previous_operator_id",
    "strategy",
    "candidates",
    "skipped",
    "odds",
    "draw",
    "forced",
    "auto_assign_waiting",
    "actor_type",
    "actor_name",
    "created_at",
]


_WITHOUT_ID = CONTACT_COLUMNS[1:]
_INSERT_CONTACT = (
    f"INSERT INTO contacts_contact ({', '.join(_WITHOUT_ID)})"  # noqa: S608  # nosec B608  # names of our own
    f" VALUES ({', '.join(['%s'] * len(_WITHOUT_ID))}) RETURNING id"
)


def write_contact(contact: Contact) -> None:
    """Write one that is new and open, and give it its id: faster than the ORM does."""
    row = next(_contact_rows([contact]))[1:]
    ((contact.pk,),) = run(_INSERT_CONTACT, row)
    contact._state.adding = False


def write_contacts(contacts: Sequence[Contact]) -> None:
    """Write contacts that are new and open, and give them their ids, in their order."""
    if len(contacts) < MANY:
        Contact.objects.bulk_create(contacts)
        return
    for contact, pk in zip(contacts, take_ids(Contact, len(contacts)), strict=True):
        contact.pk = pk
        contact._state.adding = False
    insert(Contact, CONTACT_COLUMNS, _contact_rows(contacts))


def _contact_rows(contacts: Sequence[Contact]) -> Iterator[Sequence[Cell]]:
    time = lru_cache(maxsize=8)(moment)
    for each in contacts:
        yield (
            each.pk,
            each.lead_id,
            each.source_id,
            each.operator_id,
            each.status,
            each.message,
            time(each.created_at),
            time(each.assigned_at),
            time(each.waiting_since),
            each.handovers,
        )


def write_decisions(noted: Sequence[Noted], *, actor: Actor, now: datetime) -> None:
    """Write the record of each decision, about contacts that are written."""
    # For few, COPY costs PostgreSQL a second trip; SQLite has no COPY.
    if len(noted) < MANY and connection.vendor == "postgresql":
        DecisionRecord.objects.bulk_create([record(each, actor=actor, now=now) for each in noted])
    else:
        insert(DecisionRecord, DECISION_COLUMNS, _decision_rows(noted, actor, now))


def _decision_rows(noted: Sequence[Noted], actor: Actor, now: datetime) -> Iterator[Sequence[Cell]]:
    made = moment(now)
    for each in noted:
        decision = each.decision
        yield (
            each.contact.pk,
            each.contact.source_id,
            each.kind.value,
            each.operator_id,
            each.operator_name,
            each.previous_operator_id,
            decision.strategy or "",
            candidates_as_text(decision),
            skipped_as_text(decision),
            odds_as_text(decision),
            decision.draw,
            each.forced,
            each.hands_out,
            actor.type,
            actor.name,
            made,
        )


def candidates_as_text(decision: Decision) -> str:
    """JSON that `CandidatesField` reads as `history.recorded_candidates`, faster by hand."""
    if decision.strategy == WEIGHTED_RANDOM:
        return f"[{','.join(map(_candidate_as_text, decision.candidates))}]"
    text = _in_turn_as_text if decision.strategy == SMOOTH_WEIGHTED else _sharing_as_text
    return f"[{','.join(map(text, decision.candidates, decision.shares()))}]"


def skipped_as_text(decision: Decision) -> str:
    """JSON that `SkippedField` reads as `history.skipped_as_json`."""
    return f"[{','.join(map(_skipped_as_text, decision.skipped))}]"


# From one decision to the next all stay as they are but one.
@lru_cache(maxsize=2_000)
def _candidate_as_text(each: Candidate) -> str:
    return f"[{each.operator_id},{_quoted(each.name)},{each.weight},{each.load},{each.limit}]"


def _sharing_as_text(each: Candidate, share: float) -> str:
    return f"{_candidate_as_text(each)[:-1]},{share!r}]"


def _in_turn_as_text(each: Candidate, share: float) -> str:
    return f"{_candidate_as_text(each)[:-1]},{share!r},{each.turns}]"


@lru_cache(maxsize=2_000)
def _skipped_as_text(skipped: Skipped) -> str:
    each, reason = skipped
    name = _quoted(each.name)
    return f'[{each.operator_id},{name},"{reason.value}",{each.load},{each.limit}]'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
