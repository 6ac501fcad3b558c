"""The choice of an operator: candidates and a draw in, a decision out. Knows no Django.

A strategy is a function of the candidates, in order of their ids. It returns their odds, whole
numbers in the same order, or the one candidate it is for certain. `STRATEGIES` names it; to add
one, add a function and a line.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple


class Reason(StrEnum):
    """Why an operator of the source was passed over."""

    INACTIVE = "inactive"
    OFF_HOURS = "off_hours"
    FULL = "full"
    EXCLUDED = "excluded"


class Candidate(NamedTuple):
    """An operator assigned to the source, as he or she stood before the decision.

    `turns` are the contacts got in the present cycle of a smooth rotation among the same
    candidates; 0 where there is none. `on_shift`: is it within the working hours? `back_at` is
    when it will be, None where it is or that is not known.
    """

    operator_id: int
    name: str
    weight: int
    load: int
    limit: int
    is_active: bool = True
    on_shift: bool = True
    back_at: datetime | None = None
    turns: int = 0

    def loaded(self, contacts: int) -> "Candidate":
        """The same operator with so many more open contacts."""
        return self._replace(load=self.load + contacts)

    def unavailable(self) -> Reason | None:
        """Why this operator can take nothing now; None means that he or she can."""
        if not self.is_active:
            return Reason.INACTIVE
        if not self.on_shift:
            return Reason.OFF_HOURS
        if self.load >= self.limit:
            return Reason.FULL
        return None


class Skipped(NamedTuple):
    """A candidate who was passed over, and why."""

    candidate: Candidate
    reason: Reason


class Decision(NamedTuple):
    """Who got the contact, among whom, with what odds, and by which draw.

    `odds` are in the order of `candidates`. `chosen` None means that nobody got it; `draw` None
    that nothing was drawn; `strategy` None that a person decided.
    """

    strategy: str | None
    candidates: tuple[Candidate, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    odds: tuple[int, ...] = ()
    draw: float | None = None
    chosen: Candidate | None = None

    def shares(self) -> list[float]:
        """The probability that each candidate had, in their order."""
        return [each / sum(self.odds) for each in self.odds]


Strategy = Callable[[Sequence[Candidate]], Sequence[int] | Candidate]


def weighted_random(candidates: Sequence[Candidate]) -> Sequence[int]:
    """The chance is in proportion to the weight."""
    return [candidate.weight for candidate in candidates]


def least_loaded(candidates: Sequence[Candidate]) -> Candidate:
    """The lowest load / limit; of equals the heaviest, then the one with the lowest id."""
    return min(candidates, key=lambda each: (each.load / each.limit, -each.weight))


def smooth_weighted(candidates: Sequence[Candidate]) -> Candidate:
    """Whoever is furthest behind the turns that the weights promise; of equals the lowest id.

    Over Σw contacts each gets exactly w, as evenly spread as can be: nginx's smooth weighted
    round robin (ngx_http_upstream_round_robin.c), whose running weight is `turn · w - turns · Σw`.
    """
    turn = 1 + sum(each.turns for each in candidates)
    whole = sum(each.weight for each in candidates)
    return max(candidates, key=lambda each: turn * each.weight - each.turns * whole)


WEIGHTED_RANDOM, LEAST_LOADED = "weighted_random", "least_loaded"
SMOOTH_WEIGHTED = "smooth_weighted"
STRATEGIES: dict[str, Strategy] = {
    WEIGHTED_RANDOM: weighted_random,
    LEAST_LOADED: least_loaded,
    SMOOTH_WEIGHTED: smooth_weighted,
}
# Not a strategy of a source but a source's rule before it: the lead's latest operator.
STICKY = "sticky"


def pick(odds: Sequence[int], draw: float) -> int:
    """The index that the draw, uniform in [0, 1), falls on in proportion to the odds."""
    bounds = list(accumulate(odds))
    return bisect_right(bounds, draw * bounds[-1])


def sort_out(
    operators: Sequence[Candidate], *, exclude: Collection[int] = ()
) -> tuple[list[Candidate], list[Skipped]]:
    """Part those who can take a contact from those who cannot.

    `exclude` are the ids of operators who must not get it.
    """
    candidates, skipped = [], []
    for operator in operators:
        excluded = Reason.EXCLUDED if operator.operator_id in exclude else None
        if reason := excluded or operator.unavailable():
            skipped.append(Skipped(operator, reason))
        else:
            candidates.append(operator)
    return candidates, skipped


def weigh(
    candidates: Sequence[Candidate],
    skipped: Sequence[Skipped] = (),
    *,
    strategy: str = WEIGHTED_RANDOM,
    preferred: int | None = None,
) -> Decision:
    """The odds of those who can take a contact, before any draw; who is certain is chosen.

    `preferred` is the id of the operator to take if he or she is among them; None: nobody is.
    """
    if not candidates:
        return Decision(strategy, skipped=tuple(skipped))
    sticky = next((each for each in candidates if each.operator_id == preferred), None)
    verdict = sticky or STRATEGIES[strategy](candidates)
    certain = verdict if isinstance(verdict, Candidate) else None
    odds = [int(each is certain) for each in candidates] if certain else verdict
    return Decision(
        strategy=STICKY if sticky else strategy,
        candidates=tuple(candidates),
        skipped=tuple(skipped),
        odds=tuple(odds),  # type: ignore[arg-type]  # no Candidate where nobody is certain
        chosen=certain,
    )


def weigh_next(weighed: Decision, operator_id: int) -> Decision | None:
    """What `weigh` would say once this operator has got one more contact, if that is the same but
    for the load; None: it has to be asked.
    """
    strategy, among, skipped, odds, *_ = weighed
    for place, each in enumerate(among):
        if each.operator_id == operator_id:
            loaded = each.loaded(1)
            if strategy != WEIGHTED_RANDOM or loaded.unavailable():
                return None
            return Decision(strategy, (*among[:place], loaded, *among[place + 1 :]), skipped, odds)
    return None


def draw_one(weighed: Decision, draw: Callable[[], float]) -> Decision:
    """Settle by a draw what is not certain; `draw` gives uniform numbers in [0, 1)."""
    if weighed.chosen or not weighed.candidates:
        return weighed
    drawn, among = draw(), weighed.candidates
    chosen = among[pick(weighed.odds, drawn)]
    return Decision(weighed.strategy, among, weighed.skipped, weighed.odds, drawn, chosen)
