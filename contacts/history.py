"""What is kept of every decision, and what can be told from it later."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from contacts.distribution import (
    SMOOTH_WEIGHTED,
    STRATEGIES,
    WEIGHTED_RANDOM,
    Candidate,
    Decision,
    Reason,
    Skipped,
    draw_one,
    weigh,
)
from contacts.models import Contact, DecisionRecord
from crm_project.actor import Actor
from crm_project.metrics import DECISIONS

Kind = DecisionRecord.Kind

# What a decision that gave the contact to somebody is called in `crm_decisions_total`.
OUTCOMES = {
    Kind.CREATE: "assigned",
    Kind.WAITING: "from_queue",
    Kind.REASSIGN: "reassigned",
    Kind.REOPEN: "reopened",
    Kind.RELEASE: "released",
    Kind.MANUAL: "reassigned",
    Kind.TIMEOUT: "timed_out",
}


def candidates_as_json(decision: Decision) -> list[dict[str, Any]]:
    """The candidates with their shares, loads as they were before the decision."""
    return [
        {
            "operator_id": each.operator_id,
            "operator_name": each.name,
            "weight": each.weight,
            "share": share,
            "current_load": each.load,
            "max_active_contacts": each.limit,
        }
        for each, share in zip(decision.candidates, decision.shares(), strict=True)
    ]


def skipped_as_json(decision: Decision) -> list[dict[str, Any]]:
    """Who was passed over, and why."""
    return [
        {
            "operator_id": each.candidate.operator_id,
            "operator_name": each.candidate.name,
            "reason": each.reason.value,
            "current_load": each.candidate.load,
            "max_active_contacts": each.candidate.limit,
        }
        for each in decision.skipped
    ]


class Noted(NamedTuple):
    """A decision with what became of its contact, to be written: the operator's name is empty where
    nobody got it, `previous_operator_id` None where nobody had it before; `hands_out`: does the
    source hand out by itself?
    """

    contact: Contact
    decision: Decision
    kind: Kind
    operator_id: int | None
    operator_name: str
    previous_operator_id: int | None
    forced: bool
    hands_out: bool


def record(noted: Noted, *, actor: Actor, now: datetime) -> DecisionRecord:
    """What is kept of the decision."""
    decision = noted.decision
    return DecisionRecord(
        contact=noted.contact,
        source_id=noted.contact.source_id,
        kind=noted.kind,
        operator_id=noted.operator_id,
        operator_name=noted.operator_name,
        previous_operator_id=noted.previous_operator_id,
        strategy=decision.strategy or "",
        candidates=recorded_candidates(decision),
        skipped=skipped_as_json(decision),
        odds=odds_as_text(decision),
        draw=decision.draw,
        forced=noted.forced,
        auto_assign_waiting=noted.hands_out,
        actor_type=actor.type,
        actor_name=actor.name,
        created_at=now,
    )


def count_once_committed(noted: Iterable[Noted]) -> None:
    """Count the decisions of this transaction for the metrics, if it is kept."""
    counts = Counter((each.contact.source.code, outcome_of(each)) for each in noted)

    def count() -> None:
        for (source, outcome), number in counts.items():
            DECISIONS.labels(source, outcome).inc(number)

    # What cannot be counted must not spoil what is done.
    transaction.on_commit(count, robust=True)


def outcome_of(noted: Noted) -> str:
    """One of OUTCOMES, `waiting` where nobody got the contact, `kept` where who had it has it."""
    if noted.operator_id is None:
        return "waiting"
    if noted.kind != Kind.REOPEN and noted.operator_id == noted.previous_operator_id:
        return "kept"
    return OUTCOMES[Kind(noted.kind)]


def odds_as_text(decision: Decision) -> str:
    """Equal for equal draws by weight, which is what fairness is measured over; else empty."""
    if decision.strategy != WEIGHTED_RANDOM or decision.draw is None:
        return ""
    return ",".join(f"{each.operator_id}:{each.weight}" for each in decision.candidates)


def recorded_candidates(decision: Decision) -> list[dict[str, Any]]:
    """The candidates as they are kept, in a smooth rotation with their turns."""
    rows = candidates_as_json(decision)
    if decision.strategy == SMOOTH_WEIGHTED:
        for row, each in zip(rows, decision.candidates, strict=True):
            row["turns"] = each.turns
    return rows


def replay(
    strategy: str, candidates: Sequence[Mapping[str, Any]], draw: float | None
) -> int | None:
    """Decide once more from what was recorded; return the id of the operator, None
    where there was no candidate.

    Only for what a strategy of a source decided: a person and stickiness cannot be replayed.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"{strategy!r} decides nothing by itself")
    known = [_candidate(each) for each in candidates]
    decision = draw_one(weigh(known, strategy=strategy), lambda: draw or 0.0)
    return decision.chosen.operator_id if decision.chosen else None


def decision_of(row: DecisionRecord) -> Decision:
    """The decision as it was recorded, without its odds."""
    candidates = tuple(_candidate(each) for each in row.candidates)
    return Decision(
        strategy=row.strategy or None,
        candidates=candidates,
        skipped=tuple(Skipped(_candidate(each), Reason(each["reason"])) for each in row.skipped),
        draw=row.draw,
        chosen=next((each for each in candidates if each.operator_id == row.operator_id), None),
    )


def _candidate(row: Mapping[str, Any]) -> Candidate:
    """Of somebody passed over the weight is not kept, in old records the load neither."""
    return Candidate(
        operator_id=row["operator_id"],
        name=row["operator_name"],
        weight=row.get("weight", 0),
        load=row.get("current_load", 0),
        limit=row.get("max_active_contacts", 0),
        turns=row.get("turns", 0),
    )
