"""The geometry of the charts, in units of their view boxes. Knows no Django."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

WIDTH, HEIGHT = 1000, 100
# The part of a place that its bars leave free.
GAP = 0.25
NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Bar:
    """One value as a rectangle that stands on the lower edge of the view box."""

    x: float
    y: float
    width: float
    height: float
    value: int


class Level(StrEnum):
    """How full an operator is."""

    INACTIVE = "inactive"
    ROOM = "room"
    NEARLY_FULL = "nearly_full"
    FULL = "full"
    OVER = "over"


def scale(values: Sequence[int]) -> int:
    """The least of 1, 2, 3, 5, 10, 20, 30, 50 ... that no value exceeds."""
    most, power = max(values, default=0), 1
    while True:
        for digit in (1, 2, 3, 5):
            if digit * power >= most:
                return digit * power
        power *= 10


def columns(series: Sequence[Sequence[int]]) -> list[list[Bar]]:
    """The bars of each series; those for the same place stand side by side.

    All series have the same number of values and one scale.
    """
    top = scale(list(chain.from_iterable(series)))
    found = []
    for lane, values in enumerate(series):
        room = WIDTH / max(len(values), 1)
        width = room * (1 - GAP) / len(series)
        start = room * GAP / 2 + lane * width
        heights = [HEIGHT * value / top for value in values]
        found.append(
            [
                Bar(start + place * room, HEIGHT - height, width, height, value)
                for place, (value, height) in enumerate(zip(values, heights, strict=True))
            ]
        )
    return found


def fullness(load: int, limit: int) -> float:
    """The part of WIDTH that the load fills; what is above the limit does not show."""
    return WIDTH * min(load / limit, 1)


def level(load: int, limit: int, *, is_active: bool) -> Level:
    """How full an operator with this load is; one above the limit is so even when inactive."""
    if load > limit:
        return Level.OVER
    if not is_active:
        return Level.INACTIVE
    if load == limit:
        return Level.FULL
    return Level.NEARLY_FULL if load >= NEARLY_FULL * limit else Level.ROOM
