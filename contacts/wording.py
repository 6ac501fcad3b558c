"""A decision in one sentence for a person, in their language."""

from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from contacts.distribution import (
    LEAST_LOADED,
    SMOOTH_WEIGHTED,
    STICKY,
    WEIGHTED_RANDOM,
    Candidate,
    Decision,
    Reason,
    Skipped,
)
from contacts.history import Kind, decision_of
from contacts.models import Contact, DecisionRecord
from contacts.staffing import Release
from contacts.waiting import Cause, causes


def explain(contact: Contact, decision: Decision, *, moved: bool = True, why: bool = True) -> str:
    """Who has the contact now, and why; not `moved`: the operator is the one it had before.

    Not `why`: for who may not know how busy others are, and at what weight.
    """
    name = contact.operator.name if contact.operator else None
    return _sentence(name, decision, moved=moved, why=why)


def tell(record: DecisionRecord, *, why: bool = True) -> str:
    """The same of a decision of former times, and who was passed over."""
    decision = decision_of(record)
    moved = record.operator_id != record.previous_operator_id
    if record.kind == Kind.TIMEOUT:
        parts = [_timed_out(decision, often_enough=not decision.skipped, why=why)]
    else:
        parts = [_sentence(record.operator_name or None, decision, moved=moved, why=why)]
    if record.forced:
        parts.append(_("Above the limit, by force."))
    if why and decision.chosen and decision.skipped:
        passed = "; ".join(passed_over(each) for each in decision.skipped)
        parts.append(_("Passed over: %(them)s.") % {"them": passed})
    return " ".join(parts)


def _sentence(name: str | None, decision: Decision, *, moved: bool, why: bool) -> str:
    """`name` is that of the operator who has the contact from then on; None: nobody."""
    if decision.strategy is None and not moved:
        return _("Stays with %(name)s, who has it already.") % {"name": name}
    if decision.strategy is None:
        return _("Handed to %(name)s by choice of a person.") % {"name": name}
    if decision.chosen:
        return _assigned(decision, decision.chosen, why=why)
    if decision.candidates:
        return _("The contact waits its turn: older ones are being handed out first.")
    if not why:
        return (
            _("Stays with %(name)s: nobody else is available.") % {"name": name}
            if name
            else _("Nobody is available, the contact waits.")
        )
    reasons = "; ".join(passed_over(each) for each in decision.skipped) or _(
        "nobody is assigned to the source"
    )
    if name:
        text = _("Stays with %(name)s: nobody else is available (%(reasons)s).")
    else:
        text = _("Nobody is available, the contact waits (%(reasons)s).")
    return text % {"name": name, "reasons": reasons}


def explain_timeout(contact: Contact, decision: Decision) -> str:
    """What became of a contact that was not taken in time."""
    often = contact.handovers >= contact.source.response_handovers
    return _timed_out(decision, often_enough=often, why=True)


def _timed_out(decision: Decision, *, often_enough: bool, why: bool) -> str:
    if decision.chosen:
        late = _("It was not taken in time.")
        return f"{late} {_assigned(decision, decision.chosen, why=why)}"
    if often_enough:
        return _("It was not taken in time and handed on often enough: marked for the team lead.")
    reasons = "; ".join(passed_over(each) for each in decision.skipped)
    text = _("It was not taken in time and nobody else is available: marked for the team lead.")
    return f"{text} ({reasons})" if reasons and why else text


def strategy_name(strategy: str) -> str:
    """What people call a strategy; its own name where it has no other."""
    names = {
        WEIGHTED_RANDOM: _("by lot, in proportion to the weights"),
        LEAST_LOADED: _("to the least loaded"),
        SMOOTH_WEIGHTED: _("in turn, in proportion to the weights"),
    }
    return names.get(strategy, strategy)


def _assigned(decision: Decision, chosen: Candidate, *, why: bool) -> str:
    """One sentence per strategy; of a strategy that has none here, who it is."""
    count = len(decision.candidates)
    if not why:
        text = _("Assigned to %(name)s.")
    elif decision.strategy == STICKY:
        text = _("Assigned to %(name)s, who had the lead's latest contact.")
    elif count == 1:
        text = _("Assigned to %(name)s: the only one available.")
    elif decision.strategy == WEIGHTED_RANDOM:
        text = _(
            "Assigned to %(name)s: drawn with a chance of %(share)s %% (weight %(weight)d of"
            " %(sum)d), available: %(count)d."
        )
    elif decision.strategy == LEAST_LOADED:
        text = _(
            "Assigned to %(name)s: the least loaded (%(load)d of %(limit)d), available: %(count)d."
        )
    elif decision.strategy == SMOOTH_WEIGHTED:
        text = _(
            "Assigned to %(name)s, whose turn it was (weight %(weight)d of %(sum)d), available:"
            " %(count)d."
        )
    else:
        text = _("Assigned to %(name)s.")
    whole = sum(each.weight for each in decision.candidates)
    return text % {
        "name": chosen.name,
        "share": number_format(round(100 * chosen.weight / whole, 1), decimal_pos=1),
        "weight": chosen.weight,
        "sum": whole,
        "load": chosen.load,
        "limit": chosen.limit,
        "count": count,
    }


def passed_over(skipped: Skipped) -> str:
    """Who was passed over, and why."""
    one = skipped.candidate
    texts = {
        Reason.INACTIVE: _("%(name)s is inactive"),
        Reason.OFF_HOURS: _("%(name)s is off duty until %(back)s")
        if one.back_at
        else _("%(name)s is off duty"),
        Reason.FULL: _("%(name)s has %(load)d of %(limit)d"),
        Reason.EXCLUDED: _("%(name)s has had it"),
    }
    return texts[skipped.reason] % {
        "name": one.name,
        "load": one.load,
        "limit": one.limit,
        "back": one.back_at and date_format(localtime(one.back_at), "SHORT_DATETIME_FORMAT"),
    }


def cause_in_words(cause: Cause) -> str:
    """Why a contact waits, as people say it."""
    texts = {
        Cause.NO_OPERATORS: _("the source has no operators"),
        Cause.ALL_INACTIVE: _("all operators are inactive"),
        Cause.OFF_HOURS: _("all active operators are off duty"),
        Cause.ALL_FULL: _("all operators are full"),
        Cause.SWITCHED_OFF: _("handing out by itself is off"),
        Cause.IN_TURN: _("being handed out now"),
    }
    return texts[cause]


def release_in_words(release: Release) -> str:
    """To whom an operator's contacts went, and why the rest waits."""
    if not release.released:
        return _("no open contacts, nothing to release")
    parts = [f"{name} — {count}" for name, count in release.to.items()]
    why = causes(list(release.left))
    for source, count in release.left.items():
        words = {"count": count, "source": source, "cause": cause_in_words(why[source.pk])}
        parts.append(_("waiting in “%(source)s” — %(count)d (%(cause)s)") % words)
    return _("released %(count)d: %(parts)s") % {
        "count": release.released,
        "parts": "; ".join(parts),
    }
