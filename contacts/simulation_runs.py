"""Many runs of a simulation, over several processes, and what they come to. Knows no Django."""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import fmean
from typing import Generic, TypeVar

from contacts.simulation import Log, Scenario, Workload, replay

Figure = TypeVar("Figure")


@dataclass(frozen=True, slots=True)
class Figures(Generic[Figure]):
    """What a run came to, in numbers, or many of them, in Estimates.

    By id of operator: the `share` of what was handed out, the `use` (the mean over time of load /
    limit) and the share of the time spent `at_limit`. The waits are in seconds, over those that
    waited, for those that still do up to the end; None where nobody waited.
    """

    contacts: Figure
    waited: Figure
    still_waiting: Figure
    wait_median: Figure | None
    wait_p95: Figure | None
    share: dict[int, Figure]
    use: dict[int, Figure]
    at_limit: dict[int, Figure]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean over the runs, and the range that nine runs out of ten fall into."""

    mean: float
    p5: float
    p95: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """The same workload for each of the scenarios, in as many runs."""

    scenarios: tuple[Scenario, ...]
    workload: Workload
    runs: int
    seed: int = 1

    def run(self, job: int) -> Figures[float]:
        """The job of that number: all runs of the first scenario come first.

        A run has its own seed, the same in each scenario and in whatever process.
        """
        scenario = self.scenarios[job // self.runs]
        log = replay(scenario, self.workload, seed=f"{self.seed} {job % self.runs}")
        return measure(scenario, self.workload, log)

    @property
    def jobs(self) -> int:
        return self.runs * len(self.scenarios)


def carry_out(
    experiment: Experiment,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Figures[Estimate]]:
    """What each scenario comes to, over all its runs; `processes` None: one for each core."""
    figures = []
    for figure in _carry_out(experiment, min(processes or os.cpu_count() or 1, experiment.jobs)):
        figures.append(figure)
        progress(len(figures), experiment.jobs)
    runs = experiment.runs
    return [summarise(figures[first : first + runs]) for first in range(0, len(figures), runs)]


def _carry_out(experiment: Experiment, processes: int) -> Iterator[Figures[float]]:
    if processes == 1:
        yield from map(experiment.run, range(experiment.jobs))
        return
    # Spawned, not forked: a child must not share the connections to the database.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(experiment,)) as pool:
        yield from pool.map(_run, range(experiment.jobs))


_experiment: Experiment  # what a process of the pool works on


def _begin(experiment: Experiment) -> None:
    global _experiment  # noqa: PLW0603  # a pool's processes can keep it nowhere else
    _experiment = experiment
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's


def _run(job: int) -> Figures[float]:
    return _experiment.run(job)


def measure(scenario: Scenario, workload: Workload, log: Log) -> Figures[float]:
    """The figures of one run."""
    end, team = workload.seconds, scenario.team
    given = Counter(each.operator_id for each in log.handings)
    spent = _open_seconds(workload, log)
    waits = [each.assigned - each.arrived for each in log.handings if each.assigned > each.arrived]
    waits += [end - arrived for arrived in log.waiting]
    return Figures(
        contacts=len(log.handings) + len(log.waiting),
        waited=len(waits),
        still_waiting=len(log.waiting),
        wait_median=quantile(waits, 0.5) if waits else None,
        wait_p95=quantile(waits, 0.95) if waits else None,
        share={one.operator_id: given[one.operator_id] / max(1, given.total()) for one in team},
        use={one.operator_id: spent[one.operator_id] / (one.limit * end) for one in team},
        at_limit={key: seconds / end for key, seconds in log.full_seconds.items()},
    )


def _open_seconds(workload: Workload, log: Log) -> dict[int, float]:
    """The time that contacts were open within the period, summed up for each operator."""
    end = workload.seconds
    seconds: defaultdict[int, float] = defaultdict(float)
    for busy in workload.busy:
        seconds[busy.operator_id] += max(0.0, min(busy.until, end) - max(busy.since, 0.0))
    for each in log.handings:
        seconds[each.operator_id] += min(each.closed, end) - each.assigned
    return seconds


def summarise(runs: Sequence[Figures[float]]) -> Figures[Estimate]:
    """The estimates over the runs of one scenario; of a wait, over those runs that had one."""
    waits = [(run.wait_median, run.wait_p95) for run in runs if run.wait_median is not None]
    medians, p95s = zip(*waits, strict=True) if waits else ((), ())
    return Figures(
        contacts=estimate([run.contacts for run in runs]),
        waited=estimate([run.waited for run in runs]),
        still_waiting=estimate([run.still_waiting for run in runs]),
        wait_median=estimate(medians) if waits else None,
        wait_p95=estimate(p95s) if waits else None,
        share=_estimates([run.share for run in runs]),
        use=_estimates([run.use for run in runs]),
        at_limit=_estimates([run.at_limit for run in runs]),
    )


def _estimates(runs: Sequence[dict[int, float]]) -> dict[int, Estimate]:
    return {key: estimate([run[key] for run in runs]) for key in runs[0]}


def estimate(values: Sequence[float]) -> Estimate:
    """The estimate from what the runs gave, at least one."""
    return Estimate(fmean(values), quantile(values, 0.05), quantile(values, 0.95))


def quantile(values: Iterable[float], share: float) -> float:
    """Linear between the closest ranks: type 7 of Hyndman & Fan (1996), as in R and NumPy."""
    ordered = sorted(values)
    below, rest = divmod((len(ordered) - 1) * share, 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + (high - low) * rest
