"""Why contacts wait, as of now."""

from collections import Counter
from collections.abc import Collection
from enum import StrEnum

from django.db.models import Count

from contacts.availability import Availability
from contacts.models import WAITING, Contact
from sources.models import Source


class Cause(StrEnum):
    """What keeps the contacts of a source waiting.

    `in_turn`: nothing any more, somebody is handing them out at this moment.
    """

    NO_OPERATORS = "no_operators"
    ALL_INACTIVE = "all_inactive"
    ALL_FULL = "all_full"
    SWITCHED_OFF = "switched_off"
    IN_TURN = "in_turn"


def causes(sources: Collection[Source]) -> dict[int, Cause]:
    """Why a contact would wait in each of the sources."""
    available = Availability([source.pk for source in sources])
    return {source.pk: _cause(source, available) for source in sources}


def _cause(source: Source, available: Availability) -> Cause:
    operators = available.candidates(source)
    if not operators:
        return Cause.NO_OPERATORS
    if not any(operator.is_active for operator in operators):
        return Cause.ALL_INACTIVE
    if all(operator.unavailable() for operator in operators):
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
