"""A decision in one sentence for a person, in their language."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from contacts.distribution import Candidate, Decision, Reason, Skipped
from contacts.models import Contact


def explain(contact: Contact, decision: Decision, *, moved: bool = True) -> str:
    """Who has the contact now, and why; not `moved`: the operator is the one it had before."""
    if decision.strategy is None and not moved:
        return _("Stays with %(name)s, who has it already.") % {"name": contact.operator}
    if decision.strategy is None:
        return _("Handed to %(name)s by choice of a person.") % {"name": contact.operator}
    if decision.chosen:
        return _assigned(decision, decision.chosen)
    reasons = "; ".join(_passed_over(each) for each in decision.skipped)
    if contact.operator:
        text = _("Stays with %(name)s: nobody else is available.") % {"name": contact.operator}
    else:
        text = _("Nobody is available, the contact waits.")
    return f"{text} ({reasons})" if reasons else f"{text} ({_('nobody is assigned to the source')})"


def _assigned(decision: Decision, chosen: Candidate) -> str:
    if len(decision.candidates) == 1:
        return _("Assigned to %(name)s: the only one available.") % {"name": chosen.name}
    return _(
        "Assigned to %(name)s: drawn with a chance of %(share)s %% (weight %(weight)d of %(sum)d),"
        " available: %(count)d."
    ) % {
        "name": chosen.name,
        "share": number_format(100 * decision.share(chosen), decimal_pos=1),
        "weight": chosen.weight,
        "sum": sum(each.weight for each in decision.candidates),
        "count": len(decision.candidates),
    }


def _passed_over(skipped: Skipped) -> str:
    one = skipped.candidate
    texts = {
        Reason.INACTIVE: _("%(name)s is inactive"),
        Reason.FULL: _("%(name)s has %(load)d of %(limit)d"),
        Reason.EXCLUDED: _("%(name)s has had it"),
    }
    return texts[skipped.reason] % {"name": one.name, "load": one.load, "limit": one.limit}
