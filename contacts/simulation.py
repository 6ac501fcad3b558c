"""What if: contacts arrive, are handed out and closed, in memory. Knows no Django.

A discrete-event simulation that chooses by the functions of `contacts.distribution`, the same as
the real decision. Times are seconds since the start of the period.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import heapify, heappop, heappush

from contacts.distribution import (
    SMOOTH_WEIGHTED,
    WEIGHTED_RANDOM,
    Candidate,
    draw_one,
    sort_out,
    weigh,
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A contact that comes at `at` and stays open for `handling` once somebody has it.

    `handling` None: not known. `lead` None: a lead who never wrote before nor after.
    """

    at: float
    handling: float | None = None
    lead: int | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """A place of an operator that something else takes, whatever is decided here."""

    operator_id: int
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Workload:
    """What there is to do in a period of so many `seconds`.

    `arrivals` come as they are, in order of time, unless there is a `rate`: then they are a Poisson
    process of so many a second. A handling time that is not known is drawn from `observed`, unless
    there is a `mean_handling`: then all of them are exponential with that mean.
    """

    seconds: float
    arrivals: tuple[Arrival, ...] = ()
    observed: tuple[float, ...] = ()
    busy: tuple[Busy, ...] = ()
    rate: float | None = None
    mean_handling: float | None = None

    def sample(self, rng: random.Random) -> list[tuple[Arrival, float]]:
        """The arrivals of one run, each with its handling time."""
        arrivals = self._poisson(rng, self.rate) if self.rate else self.arrivals
        return [(each, self._handling(rng, each)) for each in arrivals]

    def _poisson(self, rng: random.Random, rate: float) -> list[Arrival]:
        arrivals = []
        moment = rng.expovariate(rate)
        while moment < self.seconds:
            arrivals.append(Arrival(moment))
            moment += rng.expovariate(rate)
        return arrivals

    def _handling(self, rng: random.Random, arrival: Arrival) -> float:
        if self.mean_handling:
            return rng.expovariate(1 / self.mean_handling)
        return rng.choice(self.observed) if arrival.handling is None else arrival.handling


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who serves the source, in order of ids and without load, and how one of them is chosen."""

    team: tuple[Candidate, ...]
    strategy: str = WEIGHTED_RANDOM
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Handing:
    """A contact that arrived, was given to an operator, and is closed, perhaps after the end."""

    arrived: float
    operator_id: int
    assigned: float
    closed: float


@dataclass(frozen=True, slots=True)
class Log:
    """One run: what was handed out, in that order, when those came who still wait, and how long
    each operator, by id, was at the limit.
    """

    handings: list[Handing]
    waiting: list[float]
    full_seconds: dict[int, float]


def replay(scenario: Scenario, workload: Workload, *, seed: str) -> Log:
    """Let the workload come upon the scenario once.

    The seed decides what arrives and, apart from it, what is drawn: so two scenarios of one seed
    face the same contacts.
    """
    arrivals = workload.sample(random.Random(f"{seed} arrivals"))
    desk = Desk(scenario, workload.busy, random.Random(f"{seed} draws").random)
    for arrival, handling in arrivals:
        desk.go_on_until(arrival.at)
        desk.arrive(arrival, handling)
    desk.go_on_until(workload.seconds)
    return desk.log(workload.seconds)


Standing = Callable[[int, int, int], Candidate]


def standings(team: Iterable[Candidate]) -> Standing:
    """Who of the team has this id, with this load and so many turns.

    Each is made once: to copy them at every change takes half of a run's time.
    """
    members = {each.operator_id: each for each in team}

    @cache
    def standing(operator_id: int, load: int, turns: int) -> Candidate:
        return members[operator_id]._replace(load=load, turns=turns)

    return standing


class Desk:
    """The team at work, and those who wait for it. Time only goes forward."""

    def __init__(self, scenario: Scenario, busy: Iterable[Busy], draw: Callable[[], float]) -> None:
        self.scenario = scenario
        self.draw = draw
        self.team = {each.operator_id: each for each in scenario.team}
        self._standing = standings(scenario.team)
        self._rotations = Rotations(self._standing)
        self._latest: dict[int, int] = {}
        self._waiting: deque[tuple[Arrival, float]] = deque()
        self._handings: list[Handing] = []
        self._full_since: dict[int, float] = {}
        self._full_seconds = dict.fromkeys(self.team, 0.0)
        # (moment, change of load, whose): of what happens at one moment, closings go first.
        self._changes: list[tuple[float, int, int]] = []
        for each in busy:
            since = max(each.since, 0.0)
            if each.operator_id in self.team and since < each.until:
                self._changes.append((since, 1, each.operator_id))
                self._changes.append((each.until, -1, each.operator_id))
        heapify(self._changes)

    def go_on_until(self, moment: float) -> None:
        """Let everything happen that is due by then."""
        while self._changes and self._changes[0][0] <= moment:
            now, change, operator_id = heappop(self._changes)
            self._load(operator_id, change, now)
            self._hand_out(now)

    def arrive(self, arrival: Arrival, handling: float) -> None:
        """Give the contact to somebody, or let it wait behind those who do."""
        self._waiting.append((arrival, handling))
        if len(self._waiting) == 1:
            self._hand_out(arrival.at)

    def log(self, end: float) -> Log:
        """What has happened by the end."""
        full = dict(self._full_seconds)
        for operator_id, since in self._full_since.items():
            full[operator_id] += end - since
        return Log(self._handings, [arrival.at for arrival, _ in self._waiting], full)

    def _hand_out(self, now: float) -> None:
        """Oldest first, for as long as somebody can take one."""
        # To ask for a choice where all are full would be right, too, but slow.
        while self._waiting and len(self._full_since) < len(self.team):
            arrival, handling = self._waiting[0]
            chosen = self._choose(arrival.lead)
            if chosen is None:
                return
            self._waiting.popleft()
            operator_id, closed = chosen.operator_id, now + handling
            self._handings.append(Handing(arrival.at, operator_id, now, closed))
            self._load(operator_id, 1, now)
            heappush(self._changes, (closed, -1, operator_id))
            if arrival.lead is not None:
                self._latest[arrival.lead] = operator_id

    def _choose(self, lead: int | None) -> Candidate | None:
        """Who gets the next contact, as `contacts.availability` and `contacts.handout` have it."""
        scenario = self.scenario
        candidates, skipped = sort_out(list(self.team.values()))
        if not candidates:
            return None
        if scenario.strategy == SMOOTH_WEIGHTED:
            candidates = self._rotations.with_turns(candidates)
        preferred = self._latest.get(lead) if scenario.sticky and lead is not None else None
        weighed = weigh(candidates, skipped, strategy=scenario.strategy, preferred=preferred)
        decision = draw_one(weighed, self.draw)
        if decision.chosen and decision.strategy == SMOOTH_WEIGHTED:
            self._rotations.move_on(candidates, decision.chosen)
        return decision.chosen

    def _load(self, operator_id: int, change: int, now: float) -> None:
        load = self.team[operator_id].load + change
        operator = self.team[operator_id] = self._standing(operator_id, load, 0)
        if load >= operator.limit:
            self._full_since.setdefault(operator_id, now)
        elif operator_id in self._full_since:
            self._full_seconds[operator_id] += now - self._full_since.pop(operator_id)


class Rotations:
    """The smooth rotations of one source, as `contacts.rotation` keeps them in the database."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._turns: dict[tuple[int, ...], dict[int, int]] = {}

    def with_turns(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates with the turns that each has had in the present cycle."""
        turns = self._among(candidates)
        return [
            self._standing(each.operator_id, each.load, turns.get(each.operator_id, 0))
            for each in candidates
        ]

    def move_on(self, candidates: Sequence[Candidate], chosen: Candidate) -> None:
        """Count a turn of the chosen one; after Σ weights turns the cycle begins anew."""
        turns = self._among(candidates)
        turns[chosen.operator_id] = chosen.turns + 1
        if sum(turns.values()) >= sum([each.weight for each in candidates]):
            turns.clear()

    def _among(self, candidates: Sequence[Candidate]) -> dict[int, int]:
        return self._turns.setdefault(tuple([each.operator_id for each in candidates]), {})
