"""The pure choice, by properties."""

import random
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.distribution import Candidate, Reason, decide, weighted_random

operators = st.builds(
    Candidate,
    operator_id=st.integers(1, 10**9),
    name=st.just("Anna"),
    weight=st.integers(1, 1000),
    load=st.integers(0, 12),
    limit=st.integers(1, 10),
    is_active=st.booleans(),
)
teams = st.lists(operators, max_size=12, unique_by=lambda one: one.operator_id)
draws = st.floats(0, 1, exclude_max=True)


def member(operator_id: int, weight: int = 1, **fields) -> Candidate:
    return Candidate(
        operator_id, f"Operator {operator_id}", weight, **{"load": 0, "limit": 10} | fields
    )


@given(teams, draws, st.none() | st.integers(1, 10))
def test_who_is_chosen_was_active_below_the_limit_and_not_excluded(team, draw, index):
    exclude = team[index % len(team)].operator_id if index and team else None
    decision = decide(team, draw=lambda: draw, exclude=exclude)
    able = [
        one for one in team if one.is_active and one.load < one.limit and one.operator_id != exclude
    ]
    assert list(decision.candidates) == able
    assert (decision.chosen in able) if able else (decision.chosen is None)
    assert len(decision.candidates) + len(decision.skipped) == len(team)
    assert (decision.draw is None) == (not able)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), draws)
def test_a_draw_falls_into_the_interval_of_the_chosen_weight(weights, draw):
    team = [member(number, weight) for number, weight in enumerate(weights)]
    chosen = weighted_random(team, draw)
    below = sum(weights[: chosen.operator_id])
    assert below <= draw * sum(weights) < below + chosen.weight


@given(teams, draws)
def test_the_shares_sum_to_one(team, draw):
    decision = decide(team, draw=lambda: draw)
    if decision.candidates:
        assert sum(map(decision.share, decision.candidates)) == pytest.approx(1)


@pytest.mark.parametrize("weights", [[1], [3, 1], [1, 1, 1], [1, 1000], [5, 4, 3, 2, 1]])
def test_the_largest_draw_chooses_the_last(weights):
    team = [member(number, weight) for number, weight in enumerate(weights)]
    assert weighted_random(team, 1 - 2**-53) == team[-1]
    assert weighted_random(team, 0.0) == team[0]


def test_every_reason_is_told():
    team = [member(1, is_active=False), member(2, load=10), member(3), member(4)]
    decision = decide(team, draw=lambda: 0.5, exclude=3)
    assert [(skip.candidate.operator_id, skip.reason) for skip in decision.skipped] == [
        (1, Reason.INACTIVE),
        (2, Reason.FULL),
        (3, Reason.EXCLUDED),
    ]
    assert decision.chosen == team[3]


def test_one_below_the_limit_is_available_and_one_at_the_limit_is_not():
    assert member(1, load=9, limit=10).unavailable() is None
    assert member(1, load=10, limit=10).unavailable() is Reason.FULL


def test_the_shares_drawn_match_the_weights():
    """Chi-square with 4 degrees of freedom: 18.47 is the critical value for p = 0.001."""
    weights, draws_made = [1, 2, 3, 4, 10], 20_000
    team = [member(number, weight) for number, weight in enumerate(weights)]
    rng = random.Random(20261123)
    counts = [0] * len(team)
    for _ in range(draws_made):
        counts[decide(team, draw=rng.random).chosen.operator_id] += 1
    expected = [draws_made * weight / sum(weights) for weight in weights]
    chi_square = sum((seen - due) ** 2 / due for seen, due in zip(counts, expected, strict=True))
    assert chi_square < 18.47
    # And no cell alone strays: within 4 standard deviations.
    assert all(abs(seen - due) < 4 * sqrt(due) for seen, due in zip(counts, expected, strict=True))
