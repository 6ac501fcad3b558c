"""Who would get the next contact. Reads only, by the same functions as the real decision."""

from contacts.availability import Availability
from contacts.distribution import Candidate, Decision
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


def serving(source: Source) -> list[tuple[Candidate, float]]:
    """The source's operators, in order of ids, each with the chance of getting the next contact:
    0 for one who is not available, and for everybody where the source is inactive.
    """
    available = Availability([source.pk])
    weighed = available.weigh(source)
    chances = zip(weighed.candidates, weighed.shares() if source.is_active else [], strict=False)
    shares = {each.operator_id: share for each, share in chances}
    return [(each, shares.get(each.operator_id, 0.0)) for each in available.candidates(source)]
