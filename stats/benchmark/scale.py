"""Whether it is as fast with many contacts as with few."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from statistics import median

from django.contrib.auth import get_user_model

from stats.benchmark import arrivals
from stats.benchmark.addresses import figures, lists
from stats.benchmark.filling import fill
from stats.benchmark.own_database import OwnDatabase
from stats.benchmark.pages import measure
from stats.benchmark.progress import Progress
from stats.benchmark.report import Row, shown

# Of the fifty that are served.
SOURCES = 40


@dataclass(frozen=True, slots=True)
class Grown:
    """Of one name, at each size: the median milliseconds, and those of processors of application
    and database together; None: could not be told.
    """

    name: str
    p50_ms: list[float | None]
    cpu_ms: list[float | None]

    def as_line(self) -> str:
        shown_values = [
            *(shown(each, 12, 2) for each in self.p50_ms),
            *(shown(each, 9, 2) for each in ratios(self.p50_ms)),
            *(shown(each, 9, 2) for each in ratios(self.cpu_ms)),
        ]
        return f"{''.join(shown_values)}  {self.name}"


def head(sizes: Sequence[int]) -> str:
    """Above the lines of Grown: medians, then how many times the first they and the processor
    times are.
    """
    titles = [f"×p50 {place}" for place in range(2, len(sizes) + 1)]
    return "".join(f"{size:>12}" for size in sizes) + "".join(
        f"{title:>9}" for title in [*titles, *(each.replace("p50", "cpu") for each in titles)]
    )


def ratios(values: Sequence[float | None]) -> list[float | None]:
    """To the first, of the others."""
    first = values[0]
    return [each / first if each is not None and first else None for each in values[1:]]


def run(
    sizes: Sequence[int],
    *,
    per_day: int,
    seed: int,
    rounds: int,
    repeats: int,
    connections: int,
    seconds: float,
    progress: Progress,
) -> Iterator[tuple[int, list[Row]]]:
    """Fill a database for each size, then measure all of them in turn, so many rounds: what else
    the machine does befalls them alike. Yields a size and its rows, again in each round.
    """
    with ExitStack() as stack:
        filled = []
        for size in sizes:
            database = stack.enter_context(OwnDatabase())
            with database.in_use():
                fill(size, seed=seed, per_day=per_day, progress=progress)
                arrivals.make_room()
                get_user_model().objects.create_superuser("benchmark")
            filled.append((size, database))
        for _ in range(rounds):
            for size, database in filled:
                with database.in_use():
                    user = get_user_model().objects.get()
                    # Before the arrivals: they would add to the smallest most of all.
                    rows = list(measure(chain(lists(), figures()), user, repeats))
                    loaded = arrivals.measure(
                        database.url,
                        "intake",
                        connections=connections,
                        seconds=seconds,
                        sources=SOURCES,
                    )
                    yield size, [*loaded.rows, *rows]


def grown(found: Sequence[tuple[int, list[Row]]]) -> list[Grown]:
    """By name, the median over the rounds of each size, in the order of the sizes."""
    sizes = sorted({size for size, _ in found})
    rows: dict[str, dict[int, list[Row]]] = {}
    for size, some in found:
        for each in some:
            rows.setdefault(each.name, {}).setdefault(size, []).append(each)

    def of(name: str, figure: Callable[[Row], float | None]) -> list[float | None]:
        return [_median(map(figure, rows[name].get(size, []))) for size in sizes]

    return [Grown(name, of(name, lambda row: row.p50_ms), of(name, _cpu_of)) for name in rows]


def _cpu_of(row: Row) -> float | None:
    return None if row.app_cpu_ms is None else row.app_cpu_ms + (row.db_cpu_ms or 0.0)


def _median(values: Iterable[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return median(known) if known else None
