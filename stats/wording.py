"""What the fairness of a source means, in words for a person, in their language."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

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
