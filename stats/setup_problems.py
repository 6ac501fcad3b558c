"""What is wrong with the set-up, so that contacts wait or people are idle or overworked."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


class Code(StrEnum):
    """In the order in which they are to be mended."""

    EVENTS_NOT_SENT = "events_not_sent"
    EVENTS_GIVEN_UP = "events_given_up"
    SOURCE_WITHOUT_OPERATORS = "source_without_operators"
    SOURCE_ALL_INACTIVE = "source_all_inactive"
    CHANNEL_NOT_READY = "channel_not_ready"
    OPERATOR_OVER_LIMIT = "operator_over_limit"
    INACTIVE_WITH_CONTACTS = "inactive_with_contacts"
    OPERATOR_WITHOUT_SOURCES = "operator_without_sources"


@dataclass(frozen=True, slots=True)
class Staff:
    """An operator, as far as it matters here."""

    pk: int
    name: str
    is_active: bool
    load: int
    limit: int


@dataclass(frozen=True, slots=True)
class Channel:
    """A source. `is_served`: it takes new contacts, or has some that wait; `missing`: what its
    channel lacks, in words.
    """

    pk: int
    name: str
    is_served: bool
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, what to do, and on the page of which object."""

    code: Code
    text: str
    remedy: str
    page: str
    pk: int


def setup_problems(
    operators: Collection[Staff],
    sources: Collection[Channel],
    pairs: Iterable[tuple[int, int]],
    *,
    unsent: tuple[str, int] | None = None,
    given_up: tuple[str, int] | None = None,
) -> list[Problem]:
    """All of them, in order of codes; `pairs` are the assignments: ids of source and operator.

    `unsent` is the page and the id of a subscription whose events nobody sends, `given_up` of one
    that was not told of some; None: there is none.
    """
    serving: defaultdict[int, set[int]] = defaultdict(set)
    for source_id, operator_id in pairs:
        serving[source_id].add(operator_id)
    busy = set().union(*serving.values())
    active = {each.pk for each in operators if each.is_active}
    found: list[Problem | None] = [
        _of_source(each, serving[each.pk], active) for each in sources if each.is_served
    ]
    found += [_of_channel(each) for each in sources if each.is_served and each.missing]
    found += [_of_operator(each, has_source=each.pk in busy) for each in operators]
    if unsent is not None:
        found.append(_of_events(*unsent))
    if given_up is not None:
        found.append(_of_given_up(*given_up))
    order = list(Code)
    return sorted((each for each in found if each), key=lambda each: order.index(each.code))


def _of_events(page: str, pk: int) -> Problem:
    text = _(
        "Events wait for more than a minute and nobody sends them: run manage.py deliver_events."
    )
    return Problem(Code.EVENTS_NOT_SENT, text, _("Open the webhook"), page, pk)


def _of_given_up(page: str, pk: int) -> Problem:
    text = _("Somebody was not told of events, and will not be: look why, and send them again.")
    return Problem(Code.EVENTS_GIVEN_UP, text, _("Open the webhook"), page, pk)


def _of_source(source: Channel, serving: set[int], active: set[int]) -> Problem | None:
    page = "admin:sources_source_change"
    if not serving:
        text = _("Nobody is assigned to the source “%(name)s”: everything that comes has to wait.")
        remedy, code = _("Assign operators"), Code.SOURCE_WITHOUT_OPERATORS
    elif not serving & active:
        text = _("All operators of the source “%(name)s” are inactive: what comes has to wait.")
        remedy, code = _("Assign others, or activate one"), Code.SOURCE_ALL_INACTIVE
    else:
        return None
    return Problem(code, text % {"name": source.name}, remedy, page, source.pk)


def _of_channel(source: Channel) -> Problem:
    text = _("The source “%(name)s” gets nothing from its channel. %(missing)s")
    return Problem(
        Code.CHANNEL_NOT_READY,
        text % {"name": source.name, "missing": source.missing},
        _("Set up the channel"),
        "admin:sources_source_change",
        source.pk,
    )


def _of_operator(operator: Staff, *, has_source: bool) -> Problem | None:
    """The gravest one."""
    page = "admin:operators_operator_change"
    if operator.load > operator.limit:
        text = ngettext(
            "%(name)s has %(load)d open contact; the limit is %(limit)d.",
            "%(name)s has %(load)d open contacts; the limit is %(limit)d.",
            operator.load,
        ) % {"name": operator.name, "load": operator.load, "limit": operator.limit}
        remedy = _("Raise the limit")
        return Problem(Code.OPERATOR_OVER_LIMIT, text, remedy, page, operator.pk)
    if operator.load and not operator.is_active:
        text = ngettext(
            "%(name)s is inactive and still has %(load)d open contact.",
            "%(name)s is inactive and still has %(load)d open contacts.",
            operator.load,
        ) % {"name": operator.name, "load": operator.load}
        remedy = _("Open the operator")
        return Problem(Code.INACTIVE_WITH_CONTACTS, text, remedy, page, operator.pk)
    if operator.is_active and not has_source:
        text = _("%(name)s serves no source, and gets nothing.") % {"name": operator.name}
        remedy = _("Assign sources")
        return Problem(Code.OPERATOR_WITHOUT_SOURCES, text, remedy, page, operator.pk)
    return None
