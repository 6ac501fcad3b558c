"""Why contacts wait, as of now."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from django.db.models import Count

from contacts.availability import Availability
from contacts.distribution import Reason
from contacts.models import WAITING, Contact
from sources.models import Source


class Cause(StrEnum):
    """What keeps the contacts of a source waiting.

    `off_hours`: all who are active are outside their working hours; `all_full`: all who are within
    them are full; `in_turn`: nothing any more, somebody is handing them out at this moment.
    """

    NO_OPERATORS = "no_operators"
    ALL_INACTIVE = "all_inactive"
    OFF_HOURS = "off_hours"
    ALL_FULL = "all_full"
    SWITCHED_OFF = "switched_off"
    IN_TURN = "in_turn"


def causes(sources: Collection[Source], *, now: datetime | None = None) -> dict[int, Cause]:
    """Why a contact would wait in each of the sources, by the working hours of `now`, the present
    moment where it is None.
    """
    available = Availability([source.pk for source in sources], now=now)
    return {source.pk: _cause(source, available) for source in sources}


def _cause(source: Source, available: Availability) -> Cause:
    operators = available.candidates(source)
    if not operators:
        return Cause.NO_OPERATORS
    reasons = {operator.unavailable() for operator in operators}
    if reasons == {Reason.INACTIVE}:
        return Cause.ALL_INACTIVE
    if reasons <= {Reason.INACTIVE, Reason.OFF_HOURS}:
        return Cause.OFF_HOURS
    if None not in reasons:
        return Cause.ALL_FULL
    return Cause.IN_TURN if source.auto_assign_waiting else Cause.SWITCHED_OFF


def waiting_by_cause() -> dict[str, int]:
    """How many contacts wait for each cause, over all sources."""
    rows = Contact.objects.filter(WAITING).order_by().values_list("source")
    counts = dict(rows.annotate(count=Count("pk")))
    total: Counter[str] = Counter({cause.value: 0 for cause in Cause})
    for source_id, cause in causes(Source.objects.filter(pk__in=counts)).items():
        total[cause.value] += counts[source_id]
    return dict(total)
