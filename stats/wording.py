"""What the figures mean, in words for a person, in their language."""

from datetime import timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.distribution import WEIGHTED_RANDOM
from contacts.wording import strategy_name
from sources.models import Source
from stats.fairness import LEAST_DRAWS, Fairness, Verdict, chance_alone


def explain(fairness: Fairness) -> str:
    """The verdict on the source, and what chance alone does in so many draws."""
    draws = fairness.draws
    if fairness.verdict == Verdict.TOO_FEW_DRAWS:
        return ngettext(
            "%(draws)d draw so far: too few to judge by, at least %(least)d are needed.",
            "%(draws)d draws so far: too few to judge by, at least %(least)d are needed.",
            draws,
        ) % {"draws": draws, "least": LEAST_DRAWS}
    if fairness.verdict == Verdict.SUSPICIOUS:
        verdict = _("So large a deviation comes by chance in fewer than 1 of 1,000 cases.")
    else:
        verdict = _("The deviations are within chance.")
    return f"{verdict} {_chance_in(draws)}"


def _chance_in(draws: int) -> str:
    shift = chance_alone(draws)
    return ngettext(
        "In %(draws)d draw, chance alone moves an operator who is due half of them by up to"
        " ±%(contacts)d contacts, or ±%(points)s percentage points (95 %% of cases).",
        "In %(draws)d draws, chance alone moves an operator who is due half of them by up to"
        " ±%(contacts)d contacts, or ±%(points)s percentage points (95 %% of cases).",
        draws,
    ) % {
        "draws": draws,
        "contacts": round(shift),
        # number_format cuts off, it does not round.
        "points": number_format(round(100 * shift / draws, 1), decimal_pos=1),
    }


def explain_in_source(source: Source, fairness: Fairness) -> str:
    """The same; of a source that draws no lots, that it does not."""
    if fairness.draws == 0 and source.strategy != WEIGHTED_RANDOM:
        return _("No lots are drawn here: contacts go %(strategy)s.") % {
            "strategy": strategy_name(source.strategy)
        }
    return explain(fairness)


def verdict_name(verdict: Verdict) -> str:
    """The verdict as a label."""
    names = {
        Verdict.WITHIN_CHANCE: _("within chance"),
        Verdict.SUSPICIOUS: _("suspicious"),
        Verdict.TOO_FEW_DRAWS: _("too few draws"),
    }
    return names[verdict]


def waits(age: timedelta) -> str:
    """For how long, in its largest whole unit."""
    minutes = age // timedelta(minutes=1)
    if minutes < 1:
        return _("waits less than a minute")
    if minutes < 60:
        return ngettext("waits %(count)d minute", "waits %(count)d minutes", minutes) % {
            "count": minutes
        }
    if minutes < 24 * 60:
        hours = minutes // 60
        return ngettext("waits %(count)d hour", "waits %(count)d hours", hours) % {"count": hours}
    days = minutes // (24 * 60)
    return ngettext("waits %(count)d day", "waits %(count)d days", days) % {"count": days}
