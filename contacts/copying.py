"""Contacts and decisions as rows, for those who write many at once (`crm_project.copying`).

Each as the ORM would write it, which writes where there are few.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from contacts.distribution import SMOOTH_WEIGHTED, Candidate, Decision
from contacts.history import Noted, odds_as_text, record
from contacts.models import Contact, DecisionRecord
from crm_project.actor import Actor
from crm_project.copying import MANY, Cell, insert, moment_as_text, take_ids

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
    text = lru_cache(maxsize=8)(moment_as_text)
    for each in contacts:
        yield (
            each.pk,
            each.lead_id,
            each.source_id,
            each.operator_id,
            each.status,
            each.message,
            text(each.created_at),
            text(each.assigned_at),
            text(each.waiting_since),
            each.handovers,
        )


def write_decisions(noted: Sequence[Noted], *, actor: Actor, now: datetime) -> None:
    """Write the record of each decision, about contacts that are written."""
    if len(noted) < MANY:
        DecisionRecord.objects.bulk_create([record(each, actor=actor, now=now) for each in noted])
    else:
        insert(DecisionRecord, DECISION_COLUMNS, _decision_rows(noted, actor, now))


def _decision_rows(noted: Sequence[Noted], actor: Actor, now: datetime) -> Iterator[Sequence[Cell]]:
    moment = moment_as_text(now)
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
            moment,
        )


def candidates_as_text(decision: Decision) -> str:
    """The JSON of `history.recorded_candidates`, put together by hand, which is quicker."""
    whole, in_turn = sum(decision.odds), decision.strategy == SMOOTH_WEIGHTED
    parts = [
        f'{{"operator_id": {each.operator_id}, "operator_name": {_quoted(each.name)}, '
        f'"weight": {each.weight}, "share": {odds / whole!r}, "current_load": {each.load}, '
        f'"max_active_contacts": {each.limit}{_turns(each) if in_turn else ""}}}'
        for each, odds in zip(decision.candidates, decision.odds, strict=True)
    ]
    return f"[{', '.join(parts)}]"


def skipped_as_text(decision: Decision) -> str:
    """That of `history.skipped_as_json`."""
    parts = [
        f'{{"operator_id": {each.operator_id}, "operator_name": {_quoted(each.name)}, '
        f'"reason": "{reason.value}", "current_load": {each.load}, '
        f'"max_active_contacts": {each.limit}}}'
        for each, reason in ((one.candidate, one.reason) for one in decision.skipped)
    ]
    return f"[{', '.join(parts)}]"


def _turns(each: Candidate) -> str:
    return f', "turns": {each.turns}'


@lru_cache(maxsize=10_000)
def _quoted(text: str) -> str:
    return json.dumps(text)
