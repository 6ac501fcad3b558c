"""What the rows of a database at work can tell of its invariants.

Cheap enough for every minute: it costs what is open and how many records are asked for, whatever
is closed. All is read as of one moment, so that nothing under way is taken for a breach.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isclose

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from contacts.distribution import STRATEGIES, WEIGHTED_RANDOM
from contacts.evidence import Record, Rows
from contacts.history import Kind, replay
from contacts.models import OPEN, WAITING, Contact, IdempotencyKey, Rotation
from contacts.selectors import with_load
from contacts.tally.drift import drift_of_some
from contacts.text_drift import texts_that_differ
from contacts.waiting import Cause, causes
from crm_project.constraints import missing_checks, missing_uniqueness
from crm_project.moments import one_moment
from leads.models import Lead
from operators.models import Operator
from sources.models import Assignment, Source

# Seconds before what may have been caught between two transactions is looked at again.
SECOND_LOOK = 1.0
# Who has come on shift since then may not have been handed what waits yet (`contacts.clock`).
LATELY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Invariant:
    """`breaches` names what breaks it, `advice` what to do then, if anything.

    `passing`: another transaction may be on its way to mend it, so it takes two looks.
    """

    name: str
    claim: str
    breaches: Callable[[Rows], list[str]]
    advice: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    invariant: Invariant
    breaches: list[str]
    seconds: float


def check_all(
    *, records: int, pause: Callable[[], None] = lambda: time.sleep(SECOND_LOOK)
) -> list[Result]:
    """Look at every invariant, and once more, after the pause, where that is needed.

    `records` is how many of the newest decision records are read.
    """
    with one_moment():
        results = _look(INVARIANTS, records)
    doubtful = [each.invariant for each in results if each.breaches and each.invariant.passing]
    if not doubtful:
        return results
    pause()
    with one_moment():
        again = {each.invariant.name: each for each in _look(doubtful, records)}
    return [
        replace(each, breaches=[one for one in each.breaches if one in second.breaches])
        if (second := again.get(each.invariant.name))
        else each
        for each in results
    ]


def _look(invariants: Collection[Invariant], records: int) -> list[Result]:
    rows, results = Rows(records), []
    for invariant in invariants:
        began = time.perf_counter()
        breaches = invariant.breaches(rows)
        results.append(Result(invariant, breaches, time.perf_counter() - began))
    return results


def limits_were_kept(rows: Rows) -> list[str]:
    """I1: whoever was chosen by the rules was below the limit, and force was a person's.

    As of each decision: whoever is above it now may owe that to a lower limit since.
    """

    def holds(record: Record) -> bool:
        if record.forced:
            return record.kind == Kind.MANUAL
        chosen = record.chosen()
        return chosen is None or chosen["current_load"] < chosen["max_active_contacts"]

    return _failing(rows.records, holds)


def loads_are_counts(rows: Rows) -> list[str]:
    """I2: the load that everybody reads is what is counted from the side of the contacts.

    By the partial index of the open ones, once per operator and once over all.
    """
    opened = Contact.objects.filter(OPEN, operator__isnull=False).order_by()
    counted = dict(opened.values_list("operator").annotate(count=Count("pk")))
    shown = {
        each.pk: each.current_load  # type: ignore[attr-defined]  # annotated
        for each in with_load(Operator.objects.order_by())
    }
    return [
        f"operator {pk} ({shown.get(pk)} shown, {counted.get(pk, 0)} open)"
        for pk in sorted(shown.keys() | counted.keys())
        if shown.get(pk) != counted.get(pk, 0)
    ]


def nobody_waits_in_vain(rows: Rows) -> list[str]:
    """I3: where the queue moves by itself, it stands because nobody can take its oldest.

    Of a queue only its oldest is read. A long one goes out in several transactions, each of which
    leaves another oldest behind: seen twice, that is no breach.
    """
    sources = [each.source for each in rows.next_ones.values()]
    now = timezone.now()
    why, before = causes(sources, now=now), causes(sources, now=now - LATELY)
    return [
        f"contact {each.contact_id} in {each.source.code}"
        for pk, each in rows.next_ones.items()
        if why[pk] == before[pk] == Cause.IN_TURN
    ]


def choices_replay(rows: Rows) -> list[str]:
    """I4: whoever was chosen by the rules was among the candidates, neither passed over nor the
    one from whom the contact was taken, and would be chosen again.
    """

    def holds(record: Record) -> bool:
        if not record.is_by_rules:
            return True
        chosen = record.operator_id
        passed_over = {each["operator_id"] for each in record.skipped}
        if record.kind in {Kind.RELEASE, Kind.TIMEOUT}:
            passed_over.add(record.previous_operator_id)
        if record.chosen() is None or chosen in passed_over:
            return False
        if record.strategy not in STRATEGIES:
            return True
        return replay(record.strategy, record.candidates, record.draw) == chosen

    return _failing(rows.records, holds)


def open_ones_are_whole(rows: Rows) -> list[str]:
    """I5: contacts without a closing time are open and wait exactly when nobody has them; none that
    waits has such a time.

    These are looked at, by their partial indexes; for all others the constraints speak.
    """
    waits_wrongly = Q(operator__isnull=True) ^ Q(waiting_since__isnull=False)
    wrong = Q(status=Contact.Status.CLOSED) | waits_wrongly
    ids = {
        *Contact.objects.filter(OPEN).filter(wrong).values_list("pk", flat=True),
        *Contact.objects.filter(WAITING).exclude(OPEN).values_list("pk", flat=True),
    }
    missing = [f"no {name}" for name in missing_checks(Contact)]
    return [f"contact {pk}" for pk in sorted(ids)] + missing


def keys_are_unique(rows: Rows) -> list[str]:
    """I6: what there may be only once is held to that by the database.

    A search for doubles would read every row; the constraint has done so.
    """
    once = (Lead, Source, Assignment, Rotation, IdempotencyKey)
    return [each for model in once for each in missing_uniqueness(model)]


def merged_leads_are_empty(rows: Rows) -> list[str]:
    """A lead that was merged has no contacts, and its survivor is merged into nobody.

    Only the merged ones are read, by their partial index.
    """
    merged = Lead.objects.filter(merged_into__isnull=False).order_by()
    having = merged.filter(Exists(Contact.objects.filter(lead=OuterRef("pk"))))
    chained = merged.filter(merged_into__merged_into__isnull=False)
    # Two queries: with an OR between them PostgreSQL may read every contact.
    ids = {pk for found in (having, chained) for pk in found.values_list("pk", flat=True)}
    return [f"lead {pk}" for pk in sorted(ids)]


def erased_leads_are_at_rest(rows: Rows) -> list[str]:
    """Nobody is to answer somebody who is not known any more; that he or she is not, a constraint
    tells. Of the contacts only the open ones are read.
    """
    opened = Contact.objects.filter(OPEN, lead__erased_at__isnull=False).order_by("pk")
    missing = [f"no {name}" for name in missing_checks(Lead)]
    return [f"contact {pk}" for pk in opened.values_list("pk", flat=True)] + missing


def tallies_are_counts(rows: Rows) -> list[str]:
    """Of some of it, chosen by lot, so that it is found in the end without reading everything."""
    return list(drift_of_some())


def copies_are_texts(rows: Rows) -> list[str]:
    """Likewise."""
    return list(texts_that_differ(some=True))


def nobody_was_overtaken(rows: Rows) -> list[str]:
    """I8: since the oldest who waits in a source came to wait, the rules gave nobody younger of
    that source to an operator.

    Ids tell the order, not times: they are given under the locks. Out of the queue a contact may
    go for as long as its own wait began earlier, if the records read go back to that.
    """
    began: dict[int, datetime] = {}
    breaches = []
    for record in rows.records:
        pk, since = record.contact_id, began.get(record.contact_id)
        oldest = rows.next_ones.get(record.source_id)
        if record.is_by_rules and oldest and oldest.parked and oldest.parked < record.id:
            if record.kind == Kind.WAITING:
                overtakes = since is not None and oldest.is_before(pk, since)
            else:
                overtakes = record.auto_assign_waiting
            if overtakes:
                breaches.append(f"{record} before contact {oldest.contact_id}")
        if record.operator_id:
            began.pop(pk, None)
        else:
            began.setdefault(pk, record.created_at)
    return breaches


def records_add_up(rows: Rows) -> list[str]:
    """Each record agrees with itself, and the newest of each contact names who has it.

    A contact without a record is older than they are, or its records have been pruned.
    """
    newest = {record.contact_id: record for record in rows.records}

    def holds(record: Record) -> bool:
        return _agrees_with_itself(record) and (
            newest[record.contact_id] is not record or _agrees_with_contact(record)
        )

    return _failing(rows.records, holds)


def _agrees_with_itself(record: Record) -> bool:
    shares = [each["share"] for each in record.candidates]
    if shares and not isclose(sum(shares), 1):
        return False
    if not record.is_by_rules:
        return record.draw is None and not record.odds
    chosen, by_weight = record.chosen(), record.strategy == WEIGHTED_RANDOM
    certain = not by_weight and (chosen is None or chosen["share"] == 1)
    weights = [f"{each['operator_id']}:{each['weight']}" for each in record.candidates]
    odds = ",".join(weights) if by_weight else ""
    return (certain or record.draw is not None) and record.odds == odds


def _agrees_with_contact(record: Record) -> bool:
    """An operator who is deleted is taken out of what is closed."""
    has = record.contact__operator
    closed = record.contact__status == Contact.Status.CLOSED
    return has == record.operator_id or (closed and has is None)


def _failing(records: Collection[Record], holds: Callable[[Record], bool]) -> list[str]:
    """The records of which it does not hold, or which cannot even be read."""

    def fails(record: Record) -> bool:
        try:
            return not holds(record)
        except (LookupError, TypeError, ArithmeticError):
            return True

    return [str(record) for record in records if fails(record)]


INVARIANTS = (
    Invariant("I1", "nobody got a contact beyond the limit, save by force", limits_were_kept),
    Invariant("I2", "each load shown is the number of open contacts", loads_are_counts),
    Invariant(
        "I3",
        "no contact waits beside an available operator",
        nobody_waits_in_vain,
        advice="run manage.py distribute_waiting",
        passing=True,
    ),
    Invariant("I4", "everybody chosen was a candidate, and the choice replays", choices_replay),
    Invariant(
        "I5", "what is open has no closing time, and waits or is answered", open_ones_are_whole
    ),
    Invariant("I6", "leads, assignments, rotations and keys are unique", keys_are_unique),
    Invariant(
        "merged",
        "no contact belongs to a lead that was merged, and no chain of merges is left",
        merged_leads_are_empty,
    ),
    Invariant(
        "erased",
        "no open contact belongs to a lead whose data were erased",
        erased_leads_are_at_rest,
    ),
    Invariant("I8", "nobody was handed out before an older one who waits", nobody_was_overtaken),
    Invariant(
        "tallies",
        "what has been counted once is what is there, as far as some of it was counted again",
        tallies_are_counts,
        advice="run manage.py recount",
    ),
    Invariant(
        "texts",
        "what a search looks into is what was written, as far as some of it was compared again",
        copies_are_texts,
        advice="run manage.py recount",
    ),
    Invariant("records", "each adds up, and the newest names who has the contact", records_add_up),
)
