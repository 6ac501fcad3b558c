import random
from collections import Counter
from statistics import pvariance

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stats.fairness import Drawn, Verdict, chance_alone, judge, parse_odds

weights = st.dictionaries(st.integers(1, 8), st.integers(1, 1000), min_size=1, max_size=8)


@st.composite
def fallen(draw):
    """One way in which some draws may have fallen, among whomever."""
    odds = draw(weights)
    return Drawn(odds, draw(st.sampled_from(sorted(odds))), draw(st.integers(1, 200)))


def among(odds, counts):
    """Draws among the same operators; `counts` says how many fell on each, in their order."""
    return [Drawn(odds, pk, times) for pk, times in zip(odds, counts, strict=True) if times]


def simulate(chance, *, draws, operators=5):
    """A fair source with limits: who has much is full, who closes is free again, some pause."""
    odds = {pk: chance.randint(1, 10) for pk in range(1, operators + 1)}
    limits = {pk: chance.randint(2, 8) for pk in odds}
    load: Counter[int] = Counter()
    drawn: Counter[tuple[tuple[int, ...], int]] = Counter()
    while drawn.total() < draws:
        free = tuple(pk for pk in odds if load[pk] < limits[pk] and chance.random() < 0.9)
        if free:
            (chosen,) = chance.choices(free, [odds[pk] for pk in free])
            load[chosen] += 1
            drawn[free, chosen] += 1
        for pk in odds:
            load[pk] -= load[pk] > 0 and chance.random() < 0.2
    return [
        Drawn({pk: odds[pk] for pk in free}, chosen, times)
        for (free, chosen), times in drawn.items()
    ]


@given(st.lists(fallen(), max_size=12))
def test_nothing_is_lost_and_nothing_is_added(drawn):
    fairness = judge(drawn)
    assert fairness.draws == sum(each.times for each in drawn if len(each.odds) > 1)
    assert sum(each.actual for each in fairness.operators) == fairness.draws
    assert sum(each.expected for each in fairness.operators) == pytest.approx(fairness.draws)
    assert 0 <= fairness.degrees_of_freedom <= max(0, len(fairness.operators) - 1)


@given(weights.filter(lambda odds: len(odds) > 1), st.data())
def test_among_the_same_operators_it_is_pearsons_chi_square(odds, data):
    several = st.lists(st.integers(0, 500), min_size=len(odds), max_size=len(odds))
    counts = data.draw(several.filter(any))
    fairness = judge(among(odds, counts))
    expected = [sum(counts) * weight / sum(odds.values()) for weight in odds.values()]
    pearson = sum((a - e) ** 2 / e for a, e in zip(counts, expected, strict=True))
    assert fairness.chi_square == pytest.approx(pearson, rel=1e-6, abs=1e-6)
    assert fairness.degrees_of_freedom == len(odds) - 1


@given(st.lists(fallen(), min_size=1, max_size=12), st.permutations(range(1, 9)))
def test_it_does_not_matter_who_has_which_id(drawn, other):
    renamed = [
        Drawn({other[pk - 1]: weight for pk, weight in odds.items()}, other[chosen - 1], times)
        for odds, chosen, times in drawn
    ]
    one, two = judge(drawn), judge(renamed)
    assume(one.chi_square is not None)
    assert two.degrees_of_freedom == one.degrees_of_freedom
    assert two.chi_square == pytest.approx(one.chi_square, rel=1e-4, abs=1e-4)


def test_those_who_never_met_are_judged_apart():
    here, there = among({1: 1, 2: 1}, [30, 10]), among({3: 2, 4: 1, 5: 1}, [10, 20, 10])
    together = judge(here + there)
    assert together.degrees_of_freedom == 1 + 2
    assert together.chi_square == pytest.approx(judge(here).chi_square + judge(there).chi_square)
    linked = judge([*here, *there, Drawn({2: 1, 3: 1}, 2, 1)])
    assert linked.degrees_of_freedom == 4


def test_a_draw_with_one_candidate_is_no_chance():
    fairness = judge([Drawn({1: 3}, 1, 100)])
    assert (fairness.draws, fairness.operators, fairness.verdict) == (0, [], "too_few_draws")
    assert (fairness.chi_square, fairness.degrees_of_freedom, fairness.p_value) == (None, 0, None)
    drawn = among({1: 1, 2: 1}, [20, 20])
    assert judge([*drawn, Drawn({1: 3}, 1, 100)]) == judge(drawn)


def test_z_is_the_deviation_in_standard_deviations():
    one, two = judge([*among({1: 3, 2: 1}, [70, 30]), Drawn({1: 1, 2: 1}, 1, 100)]).operators
    assert (one.draws, one.actual, one.expected) == (200, 170, 125)
    assert one.z == pytest.approx((170 - 125) / (100 * 3 / 16 + 100 / 4) ** 0.5)
    assert two.z == pytest.approx(-one.z)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ([29, 0], Verdict.TOO_FEW_DRAWS),
        ([30, 0], Verdict.SUSPICIOUS),
        ([24, 6], Verdict.SUSPICIOUS),
        ([22, 8], Verdict.WITHIN_CHANCE),
        ([15, 15], Verdict.WITHIN_CHANCE),
        ([0, 10**7], Verdict.SUSPICIOUS),
    ],
)
def test_the_verdict_on_two_equals(counts, verdict):
    fairness = judge(among({1: 1, 2: 1}, counts))
    assert [each.verdict for each in fairness.operators] == [verdict, verdict]


def test_the_verdict_on_an_operator_needs_enough_draws_of_their_own():
    fairness = judge([*among({1: 1, 2: 1}, [200, 200]), *among({1: 1, 2: 1, 3: 1}, [0, 0, 29])])
    assert [each.verdict for each in fairness.operators] == [
        "within_chance",
        "within_chance",
        "too_few_draws",
    ]
    assert fairness.verdict == "suspicious"


def test_one_draw_alone_is_not_suspicious_however_improbable():
    fairness = judge(among({1: 1000, 2: 1}, [29, 1]))
    assert fairness.operators[1].z > 5
    assert {fairness.verdict, *(each.verdict for each in fairness.operators)} == {"within_chance"}
    assert judge(among({1: 1000, 2: 1}, [26, 4])).verdict == "suspicious"


def test_fair_sources_with_limits_are_within_chance():
    chance = random.Random(20261123)
    judged = [judge(simulate(chance, draws=100)) for _ in range(2000)]
    p_values = [each.p_value for each in judged]
    for bound in (0.05, 0.25, 0.5, 0.75):
        below = sum(p < bound for p in p_values) / len(p_values)
        assert below == pytest.approx(bound, abs=3.5 * (bound * (1 - bound) / 2000) ** 0.5)
    assert sum(each.verdict == "suspicious" for each in judged) <= 8
    z = [one.z for each in judged for one in each.operators]
    assert pvariance(z) == pytest.approx(1, abs=0.05)
    assert sum(abs(each) > 3 for each in z) / len(z) < 0.005


def test_an_operator_who_gets_every_tenth_draw_besides_is_found():
    chance = random.Random(20261123)
    odds = {1: 3, 2: 2, 3: 1}
    counts = Counter(
        3 if chance.random() < 0.1 else chance.choices([1, 2, 3], [3, 2, 1])[0] for _ in range(1000)
    )
    fairness = judge(among(odds, [counts[pk] for pk in odds]))
    assert fairness.verdict == "suspicious"
    assert fairness.operators[2].verdict == "suspicious"


def test_many_operators_are_judged_too():
    chance = random.Random(20261123)
    odds = {pk: chance.randint(1, 10) for pk in range(1, 101)}
    drawn = Counter(chance.choices(list(odds), list(odds.values()), k=5000))
    fairness = judge(among(odds, [drawn[pk] for pk in odds]))
    assert fairness.degrees_of_freedom == 99
    assert fairness.verdict == "within_chance"


def test_chance_alone_moves_a_half_of_two_hundred_draws_by_fourteen():
    assert chance_alone(200) == pytest.approx(13.86, abs=0.01)


def test_odds_are_read_as_they_are_recorded():
    assert parse_odds("1:3,20:1000") == {1: 3, 20: 1000}
