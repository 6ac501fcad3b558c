"""The short way of an arrival, which nearly every one takes: it locks the chosen operator alone, so
that two who write to one source at the same moment need not wait for each other's commit.

The choice is made from a look without locks. Then whoever was chosen is locked, and in the next
statement looked at again: still assigned, on shift, below the limit, and nobody waiting in the
source? A contact comes to wait only while all operators of its source are locked, so that none can
come to wait unseen. If not, all is undone, and chosen anew from a new look. That bends no odds:
who could not take the contact gets none, and the others stay in proportion.

What depends on more than one operator standing still goes the long way of `contacts.services`: to
wait, not to overtake a queue, a strategy or a rule that compares. See
docs/decisions/0015-locking-the-chosen-one.md.
"""

import random
from contextlib import nullcontext
from datetime import datetime
from typing import Unpack

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, transaction
from django.utils import timezone

from contacts.copying import (
    candidates_as_text,
    skipped_as_text,
    write_contact,
    write_decisions,
)
from contacts.distribution import WEIGHTED_RANDOM, Candidate, Decision, draw_one, sort_out, weigh
from contacts.handout import How
from contacts.history import Kind, Noted, count_once_committed, odds_as_text
from contacts.inquiry import Inquiry
from contacts.models import Contact
from contacts.selectors import look_at_one, look_at_source
from crm_project.actor import SYSTEM, Actor
from crm_project.errors import StaleError
from crm_project.statements import run
from leads.models import Lead
from leads.services import find_or_create_lead, new_lead
from operators.models import Operator

# Whoever finds the chosen one gone so often takes the long way.
ATTEMPTS = 3


class GoneError(Exception):
    """Whoever was chosen cannot take the contact any more."""


def create_directly(inquiry: Inquiry, **how: Unpack[How]) -> tuple[Contact, Decision] | None:
    """Record that a lead wrote, and give the contact to an available operator of the source.

    None: nothing is done, it has to go the long way.
    """
    if inquiry.source.sticky or inquiry.source.strategy != WEIGHTED_RANDOM:
        return None
    look = inquiry.look
    for _attempt in range(ATTEMPTS):
        now = how.get("now") or timezone.now()
        look = look or look_at_source(pk=inquiry.source.pk, now=now)
        if look is None or look.in_turn:
            return None
        decision = draw_one(weigh(*sort_out(look.operators)), how.get("draw", random.random))
        if not decision.chosen:
            return None
        noted = _noted(inquiry, decision, decision.chosen, now)
        give = _in_one_call if connection.vendor == "postgresql" else _step_by_step
        try:
            give(inquiry, noted, how.get("actor", SYSTEM), given_at=how.get("now"))
        except GoneError:
            look = None
            continue
        except StaleError:
            return None
        count_once_committed([noted])
        return noted.contact, decision
    return None


def _noted(inquiry: Inquiry, decision: Decision, chosen: Candidate, now: datetime) -> Noted:
    """The decision and the contact as they will be, without the lead."""
    contact = Contact(
        source=inquiry.source,
        operator=Operator.from_db(
            DEFAULT_DB_ALIAS, ["id", "name"], [chosen.operator_id, chosen.name]
        ),
        message=inquiry.message,
        created_at=now,
        assigned_at=now,
    )
    return Noted(
        contact,
        decision,
        Kind.CREATE,
        operator_id=chosen.operator_id,
        operator_name=chosen.name,
        previous_operator_id=None,
        forced=False,
        hands_out=inquiry.source.auto_assign_waiting,
    )


@transaction.atomic
def _step_by_step(
    inquiry: Inquiry, noted: Noted, actor: Actor, *, given_at: datetime | None
) -> None:
    """Of SQLite, where whoever writes is alone. `given_at` None: now that we are.

    Raises GoneError, and StaleError where the lead is merged or erased.
    """
    given_at, contact = given_at or timezone.now(), noted.contact
    lead = find_or_create_lead(inquiry.external_id, inquiry.profile, now=contact.created_at)
    look = look_at_one(contact.source_id, noted.operator_id or 0, now=given_at)
    if look is None or look.in_turn or look.operators[0].unavailable():
        raise GoneError
    contact.lead, contact.assigned_at = lead, given_at
    write_contact(contact)
    write_decisions([noted._replace(hands_out=look.hands_out)], actor=actor, now=given_at)


def _in_one_call(
    inquiry: Inquiry, noted: Noted, actor: Actor, *, given_at: datetime | None
) -> None:
    """The same of PostgreSQL, by the function that migration 0013 makes."""
    contact, decision = noted.contact, noted.decision
    new = new_lead(inquiry.external_id, inquiry.profile, now=contact.created_at)
    values = [
        *(new.external_id, new.name, new.phone, new.email, new.phone_e164, new.email_key),
        *(contact.source_id, noted.operator_id, noted.operator_name, contact.message),
        *(candidates_as_text(decision), skipped_as_text(decision)),
        *(odds_as_text(decision), decision.draw, actor.type, actor.name),
        *(contact.created_at, given_at is not None),
    ]
    # By itself, a call is a transaction of its own.
    scope = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with scope:
            ((contact.pk, lead_id, *known, contact.assigned_at),) = run(_GIVE, values)
    except DatabaseError as error:
        if fault := _FAULTS.get(getattr(error.__cause__, "sqlstate", "")):
            raise fault from error
        raise
    contact.lead = Lead.from_db(DEFAULT_DB_ALIAS, _KNOWN, [lead_id, new.external_id, *known])


_GIVE = f"SELECT * FROM contacts_give_directly({', '.join(['%s'] * 18)})"  # noqa: S608  # nosec B608  # placeholders alone
_FAULTS = {"CRM01": GoneError, "CRM02": StaleError}
_KNOWN = ["id", "external_id", "name", "phone", "email", "created_at"]
