"""The choice of an operator: candidates and a draw in, a decision out. Knows no Django.

A strategy is a function of the candidates, in order of their ids, and of a draw that is uniform
in [0, 1); it returns one of them. `STRATEGIES` names it; to add one, add a function and a line.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate

WEIGHTED_RANDOM = "weighted_random"


class Reason(StrEnum):
    """Why an operator of the source was passed over."""

    INACTIVE = "inactive"
    FULL = "full"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operator assigned to the source, as he or she stood before the decision."""

    operator_id: int
    name: str
    weight: int
    load: int
    limit: int
    is_active: bool = True

    def loaded(self, contacts: int) -> "Candidate":
        """The same operator with so many more open contacts."""
        return replace(self, load=self.load + contacts)

    def unavailable(self) -> Reason | None:
        """Why this operator can take nothing now; None means that he or she can."""
        if not self.is_active:
            return Reason.INACTIVE
        if self.load >= self.limit:
            return Reason.FULL
        return None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate who was passed over, and why."""

    candidate: Candidate
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Who got the contact, among whom, and by which draw.

    `chosen` None means that nobody was available; `draw` None that nothing was drawn;
    `strategy` None that a person decided.
    """

    strategy: str | None
    candidates: tuple[Candidate, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    draw: float | None = None
    chosen: Candidate | None = None

    def share(self, candidate: Candidate) -> float:
        """The probability that this candidate had: weight / Σ weights of the candidates."""
        return candidate.weight / sum(other.weight for other in self.candidates)


Strategy = Callable[[Sequence[Candidate], float], Candidate]


def weighted_random(candidates: Sequence[Candidate], draw: float) -> Candidate:
    """Choose in proportion to the weights; `draw` is uniform in [0, 1)."""
    bounds = list(accumulate(candidate.weight for candidate in candidates))
    return candidates[bisect_right(bounds, draw * bounds[-1])]


STRATEGIES: dict[str, Strategy] = {WEIGHTED_RANDOM: weighted_random}


def decide(
    operators: Sequence[Candidate],
    *,
    draw: Callable[[], float],
    strategy: str = WEIGHTED_RANDOM,
    exclude: int | None = None,
) -> Decision:
    """Decide who of a source's operators gets a contact; nobody where none is available.

    `exclude` is the id of an operator who must not get it; None excludes nobody.
    """
    candidates, skipped = [], []
    for operator in operators:
        excluded = Reason.EXCLUDED if operator.operator_id == exclude else None
        if reason := excluded or operator.unavailable():
            skipped.append(Skipped(operator, reason))
        else:
            candidates.append(operator)
    if not candidates:
        return Decision(strategy, skipped=tuple(skipped))
    drawn = draw()
    chosen = STRATEGIES[strategy](candidates, drawn)
    return Decision(strategy, tuple(candidates), tuple(skipped), drawn, chosen)
