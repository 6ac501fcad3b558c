"""Is it chance alone that makes some operators get more than others? Knows no Django.

Limits bend shares, so that "actual % against weight" proves nothing. Each draw is therefore held
against the odds that it was made with, whatever they were that time. An operator with the
probability p in a draw is due Σp over the draws, with a variance of Σp(1 - p). The candidates of
a draw may depend on earlier draws (who got much is full): the deviations are those of a
martingale, whose variances add up all the same, and which tends to the normal distribution
(Hall & Heyde, Martingale Limit Theory and Its Application, 1980, chapter 3).
A draw with one candidate is no chance: p is 1, nothing varies, it is not counted at all.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import mul
from typing import NamedTuple

from stats.chi_square import survival

LEAST_DRAWS = 30
LARGEST_Z = 3.0
LEAST_P = 0.001
# Where somebody is due a fraction of a draw, a single one is many standard deviations. With
# weights of 1000 : 3 and 30 fair draws, 8.9 % of the operators would be suspicious without this
# bound, none with it; wherever everybody's variance is above 1 it changes nothing.
LEAST_DEVIATION = 3.0


class Verdict(StrEnum):
    WITHIN_CHANCE = "within_chance"
    SUSPICIOUS = "suspicious"
    TOO_FEW_DRAWS = "too_few_draws"


class Drawn(NamedTuple):
    """So many draws among the same operators, by id, at the same weights, that fell on the same
    one.
    """

    odds: Mapping[int, int]
    operator_id: int
    times: int


@dataclass(frozen=True, slots=True)
class OperatorFairness:
    """What an operator got in the draws in which he or she was a candidate, and was due.

    `z` is (actual - expected) / √variance, by chance alone beyond ±3 in 27 of 10,000 cases.
    """

    operator_id: int
    draws: int
    actual: int
    expected: float
    z: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Fairness:
    """All operators together. `chi_square` and `p_value` None: there were no draws."""

    draws: int
    chi_square: float | None
    degrees_of_freedom: int
    p_value: float | None
    verdict: Verdict
    operators: list[OperatorFairness]


def parse_odds(text: str) -> dict[int, int]:
    """The weights by operator's id of "id:weight,...", as `contacts.history` writes it."""
    pairs = (pair.split(":") for pair in text.split(","))
    return {int(operator_id): int(weight) for operator_id, weight in pairs}


def judge(drawn: Iterable[Drawn]) -> Fairness:
    """Hold the draws against their odds; operators in order of ids."""
    tally = Tally()
    for each in drawn:
        if len(each.odds) > 1:
            tally.add(each)
    statistic, degrees = tally.chi_square()
    p_value = survival(statistic, degrees) if degrees else None
    operators = [tally.operator(operator_id) for operator_id in sorted(tally.draws)]
    return Fairness(
        draws=tally.total,
        chi_square=statistic if degrees else None,
        degrees_of_freedom=degrees,
        p_value=p_value,
        verdict=_verdict(
            tally.total,
            largest=max((abs(each.actual - each.expected) for each in operators), default=0),
            beyond=p_value is not None and p_value < LEAST_P,
        ),
        operators=operators,
    )


def chance_alone(draws: int) -> float:
    """By how many draws, up or down, chance moves an operator who is due half of them.

    In 95 of 100 cases it is not more: 1.96 standard deviations, √(draws · ½ · ½) each. For
    whoever is due more or less than half, it is less.
    """
    return 1.96 * math.sqrt(draws) / 2


def _verdict(draws: int, *, largest: float, beyond: bool) -> Verdict:
    """`largest` is the largest deviation, in draws; `beyond`: is it improbable by its measure?"""
    if draws < LEAST_DRAWS:
        return Verdict.TOO_FEW_DRAWS
    suspicious = beyond and largest > LEAST_DEVIATION
    return Verdict.SUSPICIOUS if suspicious else Verdict.WITHIN_CHANCE


class Tally:
    """Sums over draws: of every operator, and of every two the covariance."""

    def __init__(self) -> None:
        self.total = 0
        self.draws: Counter[int] = Counter()
        self.actual: Counter[int] = Counter()
        self.expected: defaultdict[int, float] = defaultdict(float)
        self.covariance: defaultdict[int, defaultdict[int, float]] = defaultdict(
            lambda: defaultdict(float)
        )

    def add(self, drawn: Drawn) -> None:
        """Count draws in, with diag(p) - p pᵀ as the covariance of each."""
        odds, chosen, times = drawn
        whole = sum(odds.values())
        self.total += times
        self.actual[chosen] += times
        for one, weight in odds.items():
            due = times * weight / whole
            self.draws[one] += times
            self.expected[one] += due
            row = self.covariance[one]
            row[one] += due
            # Runs as often as there are pairs of candidates: nothing in it that can be outside.
            due /= whole
            for other, its_weight in odds.items():
                row[other] -= due * its_weight

    def operator(self, operator_id: int) -> OperatorFairness:
        """One of those who were candidates."""
        draws, actual = self.draws[operator_id], self.actual[operator_id]
        expected = self.expected[operator_id]
        deviation = actual - expected
        z = deviation / math.sqrt(self.covariance[operator_id][operator_id])
        verdict = _verdict(draws, largest=abs(deviation), beyond=abs(z) > LARGEST_Z)
        return OperatorFairness(operator_id, draws, actual, expected, z, verdict)

    def chi_square(self) -> tuple[float, int]:
        """(A - E)ᵀ C⁺ (A - E), and the rank of C, its degrees of freedom; 0 without draws.

        Among operators who met in draws, directly or through others, the deviations add up to 0,
        so that one of them tells nothing new and is dropped; the rest of C is regular. Among the
        same candidates in every draw C is n(diag(p) - p pᵀ), the inverse of the rest (diag(1/p)
        + 1 1ᵀ / p of the dropped) / n by Sherman and Morrison, and this Pearson's Σ(A - E)²/E.
        """
        statistic, degrees = 0.0, 0
        for met in self._met():
            kept = met[1:]
            matrix = [[self.covariance[one][other] for other in kept] for one in kept]
            deviations = [self.actual[one] - self.expected[one] for one in kept]
            statistic += sum(map(mul, deviations, _solve(matrix, deviations)))
            degrees += len(kept)
        return statistic, degrees

    def _met(self) -> list[list[int]]:
        """The operators, parted into those who met in draws, directly or through others."""
        groups, left = [], set(self.draws)
        while left:
            group, edge = [], [left.pop()]
            while edge:
                one = edge.pop()
                group.append(one)
                found = left.intersection(self.covariance[one])
                left -= found
                edge.extend(found)
            groups.append(group)
        return groups


def _solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x with matrix · x = right, by Gaussian elimination; the matrix is positive definite, which
    makes the search for a pivot unnecessary (Golub & Van Loan, Matrix Computations, 4.2).
    """
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for step, pivot in enumerate(rows):
        for row in rows[step + 1 :]:
            factor = row[step] / pivot[step]
            row[step:] = [
                mine - factor * its for mine, its in zip(row[step:], pivot[step:], strict=True)
            ]
    found: list[float] = []
    for step, row in reversed(list(enumerate(rows))):
        known = sum(map(mul, row[step + 1 : -1], reversed(found)))
        found.append((row[-1] - known) / row[step])
    return found[::-1]
