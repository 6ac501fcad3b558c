from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.charts import HEIGHT, WIDTH, Level, columns, fullness, level, scale

values = st.integers(0, 10**9)
series = st.integers(1, 30).flatmap(
    lambda places: st.lists(
        st.lists(values, min_size=places, max_size=places), min_size=1, max_size=3
    )
)


@given(series)
def test_every_bar_lies_in_the_box_and_stands_on_its_lower_edge(series):
    for bars in columns(series):
        for bar in bars:
            assert bar.x >= 0
            assert bar.x + bar.width <= WIDTH * (1 + 1e-9)
            assert bar.y >= 0
            assert bar.y + bar.height == pytest.approx(HEIGHT)


@given(series)
def test_heights_are_in_proportion_to_the_values(series):
    top = scale([value for each in series for value in each])
    for values, bars in zip(series, columns(series), strict=True):
        assert [bar.value for bar in bars] == values
        assert [bar.height / HEIGHT for bar in bars] == pytest.approx(
            [value / top for value in values]
        )


@given(series)
def test_no_two_bars_overlap(series):
    bars = sorted((bar for each in columns(series) for bar in each), key=lambda bar: bar.x)
    for left, right in pairwise(bars):
        assert left.x + left.width <= right.x * (1 + 1e-9)


@given(st.lists(values))
def test_the_scale_holds_every_value_and_is_not_much_too_long(values):
    top = scale(values)
    assert top >= max(values, default=0)
    assert top <= max(2 * max(values, default=0), 1)


def test_a_chart_without_values_has_no_bars():
    assert columns([]) == []
    assert columns([[]]) == [[]]


@given(st.integers(0, 20_000), st.integers(1, 10_000))
def test_fullness_is_the_part_of_the_limit_and_never_leaves_the_box(load, limit):
    assert fullness(load, limit) == pytest.approx(WIDTH * min(load / limit, 1))


@pytest.mark.parametrize(
    ("load", "is_active", "expected"),
    [
        (0, True, Level.ROOM),
        (7, True, Level.ROOM),
        (8, True, Level.NEARLY_FULL),
        (10, True, Level.FULL),
        (11, True, Level.OVER),
        (11, False, Level.OVER),
        (10, False, Level.INACTIVE),
        (0, False, Level.INACTIVE),
    ],
)
def test_the_level_of_an_operator_with_ten_places(load, is_active, expected):
    assert level(load, 10, is_active=is_active) == expected
