import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.chi_square import survival


@pytest.mark.parametrize(
    ("statistic", "degrees", "probability"),
    [
        (3.841, 1, 0.05),
        (6.635, 1, 0.01),
        (9.210, 2, 0.01),
        (7.815, 3, 0.05),
        (16.266, 3, 0.001),
        (18.307, 10, 0.05),
        (24.996, 15, 0.05),
        (124.342, 100, 0.05),
        (77.929, 100, 0.95),
        (233.994, 200, 0.05),
    ],
)
def test_it_agrees_with_the_printed_tables(statistic, degrees, probability):
    assert survival(statistic, degrees) == pytest.approx(probability, rel=1e-3)


@pytest.mark.parametrize("degrees", [1, 2, 3, 100, 199, 200, 1001])
def test_it_ends_at_one_and_at_zero(degrees):
    assert survival(0, degrees) == 1
    assert survival(5e-324, degrees) == pytest.approx(1)
    assert survival(1e6, degrees) == 0
    assert survival(1e308, degrees) == 0


@given(st.floats(0, 500), st.integers(1, 250))
def test_two_more_degrees_add_one_term(statistic, degrees):
    # Abramowitz & Stegun 26.4.8, by the recurrence of the incomplete gamma function.
    half = statistic / 2
    term = half and math.exp(degrees / 2 * math.log(half) - half - math.lgamma(degrees / 2 + 1))
    expected = survival(statistic, degrees) + term
    assert survival(statistic, degrees + 2) == pytest.approx(expected, abs=1e-12)
