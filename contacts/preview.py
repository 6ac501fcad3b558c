"""Who would get the next contact. Reads only, by the same functions as the real decision."""

from collections.abc import Collection

from contacts.availability import Availability
from contacts.distribution import LEAST_LOADED, Candidate, Decision, least_loaded, sort_out
from contacts.selectors import latest_of_leads
from leads.models import Lead
from leads.selectors import survivors_of
from sources.models import Source


def preview(source: Source, *, external_id: str | None = None) -> tuple[Decision, bool]:
    """What would be weighed if a contact arrived now, before any draw; the flag tells whether it
    would come after others who wait. Nobody gets it where the source is inactive.

    `external_id` names the lead who would write, for a source that is sticky; None: a new one.
    """
    if not source.is_active:
        return Decision(source.strategy), False
    available = Availability([source.pk])
    weighed = available.weigh(source, preferred=_preferred(source, external_id))
    return weighed, bool(available.with_queue([source.pk]))


def _preferred(source: Source, external_id: str | None) -> int | None:
    if not source.sticky or external_id is None:
        return None
    leads = survivors_of(Lead.objects.filter(external_id=external_id))
    return next((latest.operator_id for latest in latest_of_leads(leads).values()), None)


def shares_of(operator_id: int, sources: Collection[Source]) -> dict[int, tuple[float, int] | None]:
    """By sources, what part of the next contacts the operator gets, and the weight of all others
    who can get them; None where the operator cannot.

    In the long run: a strategy that goes by turns gives the whole of the very next one to one.
    """
    available = Availability([source.pk for source in sources])
    return {source.pk: _share_of(operator_id, source, available) for source in sources}


def _share_of(
    operator_id: int, source: Source, available: Availability
) -> tuple[float, int] | None:
    candidates, _skipped = sort_out(available.candidates(source))
    mine = next((each for each in candidates if each.operator_id == operator_id), None)
    if mine is None or not source.is_active:
        return None
    if source.strategy == LEAST_LOADED:
        return float(least_loaded(candidates) is mine), 0
    others = sum(each.weight for each in candidates) - mine.weight
    return mine.weight / (mine.weight + others), others


def serving(source: Source) -> list[tuple[Candidate, float]]:
    """The source's operators, in order of ids, each with the chance of getting the next contact:
    0 for one who is not available, and for everybody where the source is inactive.
    """
    available = Availability([source.pk])
    weighed = available.weigh(source)
    chances = zip(weighed.candidates, weighed.shares() if source.is_active else [], strict=False)
    shares = {each.operator_id: share for each, share in chances}
    return [(each, shares.get(each.operator_id, 0.0)) for each in available.candidates(source)]
