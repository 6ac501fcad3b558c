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
from contacts.models import Contact


def explain(contact: Contact, decision: Decision, *, moved: bool = True) -> str:
    """Who has the contact now, and why; not `moved`: the operator is the one it had before."""
    if decision.strategy is None and not moved:
        return _("Stays with %(name)s, who has it already.") % {"name": contact.operator}
    if decision.strategy is None:
        return _("Handed to %(name)s by choice of a person.") % {"name": contact.operator}
    if decision.chosen:
        return _assigned(decision, decision.chosen)
    if decision.candidates:
        return _("The contact waits its turn: older ones are being handed out first.")
    reasons = "; ".join(_passed_over(each) for each in decision.skipped)
    if contact.operator:
        text = _("Stays with %(name)s: nobody else is available.") % {"name": contact.operator}
    else:
        text = _("Nobody is available, the contact waits.")
    return f"{text} ({reasons})" if reasons else f"{text} ({_('nobody is assigned to the source')})"


def explain_timeout(contact: Contact, decision: Decision) -> str:
    """What became of a contact that was not taken in time."""
    if decision.chosen:
        return f"{_('It was not taken in time.')} {_assigned(decision, decision.chosen)}"
    if contact.handovers >= contact.source.response_handovers:
        return _("It was not taken in time and handed on often enough: marked for the team lead.")
    reasons = "; ".join(_passed_over(each) for each in decision.skipped)
    text = _("It was not taken in time and nobody else is available: marked for the team lead.")
    return f"{text} ({reasons})" if reasons else text


def strategy_name(strategy: str) -> str:
    """What people call a strategy; its own name where it has no other."""
    names = {
        WEIGHTED_RANDOM: _("by lot, in proportion to the weights"),
        LEAST_LOADED: _("to the least loaded"),
        SMOOTH_WEIGHTED: _("in turn, in proportion to the weights"),
    }
    return names.get(strategy, strategy)


def _assigned(decision: Decision, chosen: Candidate) -> str:
    """One sentence per strategy; of a strategy that has none here, who it is."""
    count = len(decision.candidates)
    if decision.strategy == STICKY:
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


def _passed_over(skipped: Skipped) -> str:
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
