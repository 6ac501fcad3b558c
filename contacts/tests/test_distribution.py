"""The pure choice, by properties."""

import random
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.distribution import (
    STICKY,
    STRATEGIES,
    Candidate,
    Reason,
    draw_one,
    least_loaded,
    pick,
    smooth_weighted,
    sort_out,
    weigh,
    weigh_next,
)

operators = st.builds(
    Candidate,
    operator_id=st.integers(1, 10**9),
    name=st.just("Anna"),
    weight=st.integers(1, 1000),
    load=st.integers(0, 12),
    limit=st.integers(1, 10),
    is_active=st.booleans(),
    on_shift=st.booleans(),
)
teams = st.lists(operators, max_size=12, unique_by=lambda one: one.operator_id)
draws = st.floats(0, 1, exclude_max=True)


def member(operator_id: int, weight: int = 1, **fields) -> Candidate:
    return Candidate(
        operator_id, f"Operator {operator_id}", weight, **{"load": 0, "limit": 10} | fields
    )


def decide(team, *, draw, exclude=(), **rules):
    """The whole way of a decision."""
    return draw_one(weigh(*sort_out(team, exclude=exclude), **rules), draw)


@given(teams, draws, st.none() | st.integers(1, 10))
def test_who_is_chosen_was_active_below_the_limit_and_not_excluded(team, draw, index):
    exclude = {team[index % len(team)].operator_id} if index and team else set()
    decision = decide(team, draw=lambda: draw, exclude=exclude)
    able = [
        one
        for one in team
        if one.is_active
        and one.on_shift
        and one.load < one.limit
        and one.operator_id not in exclude
    ]
    assert list(decision.candidates) == able
    assert (decision.chosen in able) if able else (decision.chosen is None)
    assert len(decision.candidates) + len(decision.skipped) == len(team)
    assert (decision.draw is None) == (not able)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), draws)
def test_a_draw_falls_into_the_interval_of_the_chosen_weight(weights, draw):
    chosen = pick(weights, draw)
    below = sum(weights[:chosen])
    assert below <= draw * sum(weights) < below + weights[chosen]


@given(teams, st.sampled_from(list(STRATEGIES)), st.none() | st.integers(1, 10**9))
def test_the_shares_sum_to_one_whatever_the_strategy(team, strategy, preferred):
    weighed = weigh(*sort_out(team), strategy=strategy, preferred=preferred)
    assert sum(weighed.shares()) == pytest.approx(1 if weighed.candidates else 0)


@pytest.mark.parametrize("weights", [[1], [3, 1], [1, 1, 1], [1, 1000], [5, 4, 3, 2, 1]])
def test_the_largest_draw_chooses_the_last(weights):
    assert pick(weights, 1 - 2**-53) == len(weights) - 1
    assert pick(weights, 0.0) == 0


def test_every_reason_is_told():
    gone = {"is_active": False, "on_shift": False}
    away = {"on_shift": False, "load": 10}
    team = [member(1, **gone), member(2, load=10), member(3), member(4), member(5, **away)]
    decision = decide(team, draw=lambda: 0.5, exclude={3})
    assert [(skip.candidate.operator_id, skip.reason) for skip in decision.skipped] == [
        (1, Reason.INACTIVE),
        (2, Reason.FULL),
        (3, Reason.EXCLUDED),
        (5, Reason.OFF_HOURS),
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


@given(teams, draws)
def test_the_least_loaded_is_taken_and_of_equals_the_heaviest_then_the_first(team, draw):
    team.sort(key=lambda one: one.operator_id)
    decision = decide(team, draw=lambda: draw, strategy="least_loaded")
    if not decision.chosen:
        return
    key = (decision.chosen.load / decision.chosen.limit, -decision.chosen.weight)
    before = [one for one in decision.candidates if one.operator_id < decision.chosen.operator_id]
    assert all((one.load / one.limit, -one.weight) >= key for one in decision.candidates)
    assert all((one.load / one.limit, -one.weight) > key for one in before)
    assert decision.draw is None


def test_a_third_is_as_loaded_as_two_sixths():
    assert least_loaded([member(1, load=2, limit=6), member(2, load=1, limit=3)]).operator_id == 1


def rotate(weights, contacts):
    """Whom so many contacts go to in turn, by place."""
    turns, order = [0] * len(weights), []
    for _ in range(contacts):
        team = [member(place, each, turns=turns[place]) for place, each in enumerate(weights)]
        chosen = smooth_weighted(team).operator_id
        turns[chosen] += 1
        order.append(chosen)
    return order


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_over_a_cycle_each_gets_exactly_the_weight(weights):
    order = rotate(weights, sum(weights))
    assert [order.count(place) for place in range(len(weights))] == weights


def test_the_turns_are_those_of_nginx():
    """The example of nginx's commit message: weights 5, 1, 1 give a a b a c a a."""
    assert rotate([5, 1, 1], 7) == [0, 0, 1, 0, 2, 0, 0]


def test_the_preferred_is_taken_for_certain_if_available():
    team = [member(1, 1000), member(2)]
    decision = decide(team, draw=lambda: 0.0, preferred=2)
    assert (decision.strategy, decision.shares(), decision.draw) == (STICKY, [0, 1], None)
    assert decision.chosen == team[1]
    team = [member(1), member(2, load=10)]
    assert decide(team, draw=lambda: 0.0, preferred=2).strategy == "weighted_random"


@given(teams, st.sampled_from(sorted(STRATEGIES)), st.integers(0, 11))
def test_the_next_is_weighed_as_if_it_were_the_first(team, strategy, index):
    takes = team[index % len(team)].operator_id if team else 0
    weighed = weigh(*sort_out(team), strategy=strategy)
    later = [each.loaded(1) if each.operator_id == takes else each for each in team]
    followed = weigh_next(weighed, takes)
    assert followed in (None, weigh(*sort_out(later), strategy=strategy))


def test_the_next_need_not_be_weighed_anew_until_somebody_is_full():
    weighed = weigh([member(1, load=7), member(2, weight=2)])
    followed = weigh_next(weighed, 1)
    assert [each.load for each in followed.candidates] == [8, 0]
    assert weigh_next(weigh_next(followed, 1) or followed, 1) is None
