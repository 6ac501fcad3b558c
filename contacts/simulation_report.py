"""A simulation in words and tables for a person, and as a document for a program."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import Any

from django.utils import timezone

from contacts.arrivals import History
from contacts.distribution import Candidate
from contacts.simulation import Scenario
from contacts.simulation_runs import Estimate, Experiment, Figures
from sources.models import Source

ARROW = " → "
NONE = "–"
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What was simulated and what it came to.

    The first of the experiment's scenarios is the source as it is today, a second one the change;
    `figures` are in the same order.
    """

    source: Source
    history: History
    experiment: Experiment
    figures: Sequence[Figures[Estimate]]

    def text(self) -> str:
        """A few tables, and what they rest on."""
        assumptions = [
            fill(each, WIDTH, initial_indent="- ", subsequent_indent="  ")
            for each in self.assumptions()
        ]
        operators = [["Operator", *OPERATOR_COLUMNS], *self._operators()]
        blocks = [
            self._heading(),
            _table(operators),
            _table(self._waiting()),
            ["This assumes:", *assumptions],
        ]
        return "\n\n".join("\n".join(lines) for lines in blocks)

    def document(self) -> dict[str, Any]:
        """All of it, for JSON: shares are of 1; an estimate is a mean and two percentiles."""
        workload = self.experiment.workload
        real = {each.operator_id for each in self.experiment.scenarios[0].team}
        today, *changed = [
            _document(scenario, figures, real)
            for scenario, figures in zip(self.experiment.scenarios, self.figures, strict=True)
        ]
        return {
            "source_id": self.source.pk,
            "source_code": self.source.code,
            "since": self.history.since.isoformat(),
            "until": self.history.until.isoformat(),
            "runs": self.experiment.runs,
            "seed": self.experiment.seed,
            "arrivals": "poisson" if workload.rate else "replayed",
            "rate_per_hour": workload.rate and workload.rate * 3600,
            "handling": "exponential" if workload.mean_handling else "observed",
            "handling_seconds_mean": workload.mean_handling,
            "contacts_of_the_period": len(self.history.arrivals),
            "handling_times_known": len(self.history.observed),
            "other_contacts": len(self.history.busy),
            "today": today,
            "changed": changed[0] if changed else None,
            "assumptions": self.assumptions(),
        }

    def assumptions(self) -> list[str]:
        """What the figures rest on, a point each."""
        points = [
            self._on_arrivals(),
            self._on_handling(),
            self._on_other_contacts(),
            "Weights, limits and who is active stay the same all the time.",
            "Working hours are not simulated: whoever is active takes contacts at any hour.",
            "What finds nobody waits and is handed out oldest first; nobody gives up, and nothing"
            " is reassigned or reopened.",
            "A contact that still waits at the end counts with its wait so far.",
            "Use is open contacts, other ones included, over the limit: the mean over all hours,"
            " nights too.",
        ]
        if not self.source.auto_assign_waiting:
            points.append("Somebody hands out what waits at once: this source does not by itself.")
        if self.source.sticky:
            points.append(
                "A lead who comes again goes to the operator of the contact before, if that one is"
                " of the same source and period."
            )
        return points

    def _heading(self) -> list[str]:
        experiment, length = self.experiment, _duration(self.history.seconds)
        since = f"{timezone.localtime(self.history.since):%Y-%m-%d %H:%M}"
        period = length if experiment.workload.rate else f"the {length} since {since}"
        strategies = ARROW.join(dict.fromkeys(each.strategy for each in experiment.scenarios))
        sides = "as today → changed" if len(experiment.scenarios) > 1 else "as today"
        return [
            f"{self.source.name} ({self.source.code}), {strategies}: {sides}, over {period}",
            f"Runs: {experiment.runs}, seed {experiment.seed}. The figures are the mean and, in"
            " brackets, the range of nine runs in ten.",
        ]

    def _operators(self) -> list[list[str]]:
        """A row for each operator of either scenario."""
        teams = [{one.operator_id: one for one in each.team} for each in self.experiment.scenarios]
        everybody = {key: one for team in reversed(teams) for key, one in team.items()}
        ids = sorted(everybody)
        columns = [
            _beside(
                [
                    [cell(team[key], figures) if key in team else NONE for key in ids]
                    for team, figures in zip(teams, self.figures, strict=True)
                ]
            )
            for cell in OPERATOR_COLUMNS.values()
        ]
        names = [everybody[key].name + _inactive(everybody[key]) for key in ids]
        return [list(row) for row in zip(names, *columns, strict=True)]

    def _waiting(self) -> list[list[str]]:
        cells = [[cell(each) for cell in WAITING_ROWS.values()] for each in self.figures]
        return [list(row) for row in zip(WAITING_ROWS, _beside(cells), strict=True)]

    def _on_arrivals(self) -> str:
        if rate := self.experiment.workload.rate:
            hourly = f"{rate * 3600:g} an hour"
            return f"Contacts come at random (Poisson), {hourly}, day and night, from new leads."
        return f"The same {len(self.history.arrivals)} contacts come, at the same moments."

    def _on_handling(self) -> str:
        workload, known = self.experiment.workload, len(self.history.observed)
        if workload.mean_handling:
            minutes = f"{workload.mean_handling / 60:g} minutes"
            return f"Each is open for {minutes} in the mean (exponential), whoever has it."
        measured = "wall-clock time from assignment to closing, nights included"
        if workload.rate:
            return f"Each is open for as long as one of {known} closed ones, by lot: {measured}."
        unknown = len(self.history.arrivals) - known
        lots = (
            f" For {unknown}, still open or never handed out, it is drawn from the other {known}."
        )
        as_it_was = f"Each is open for as long as it was, whoever has it: {measured}."
        return as_it_was + lots * bool(unknown)

    def _on_other_contacts(self) -> str:
        if not self.history.busy:
            return "Nobody has any other contacts, nor any open at the start."
        today, last = self.experiment.scenarios[0], self.experiment.scenarios[-1]
        staying = {each.operator_id for each in last.team}
        gone = any(each.operator_id not in staying for each in today.team)
        return (
            f"The operators' other contacts, of other sources or older ({len(self.history.busy)}),"
            " take places when and for as long as they did, above a limit too."
            + " A removed operator's are left out."
            * gone
        )


def _document(
    scenario: Scenario, figures: Figures[Estimate], real: Collection[int]
) -> dict[str, Any]:
    """`real` are the ids of operators who exist: who is only supposed has none."""
    operators = [
        {
            "operator_id": each.operator_id if each.operator_id in real else None,
            "operator_name": each.name,
            "is_active": each.is_active,
            "weight": each.weight,
            "max_active_contacts": each.limit,
            "share": asdict(figures.share[each.operator_id]),
            "capacity_use": asdict(figures.use[each.operator_id]),
            "time_at_limit": asdict(figures.at_limit[each.operator_id]),
        }
        for each in scenario.team
    ]
    return {
        "strategy": scenario.strategy,
        "operators": operators,
        "contacts": asdict(figures.contacts),
        "waited": asdict(figures.waited),
        "wait_seconds_median": figures.wait_median and asdict(figures.wait_median),
        "wait_seconds_p95": figures.wait_p95 and asdict(figures.wait_p95),
        "still_waiting": asdict(figures.still_waiting),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _percent_roughly(share: float) -> str:
    return f"{100 * share:.0f}"


def _count(number: float) -> str:
    return f"{number:.0f}" if number >= 100 or number == int(number) else f"{number:.1f}"


def _duration(seconds: float) -> str:
    """In the units that people would say it in."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours < 48 else f"{hours / 24:.1f} days"


def _ranged(
    value: Estimate | None,
    form: Callable[[float], str],
    roughly: Callable[[float], str] | None = None,
) -> str:
    if value is None:
        return NONE
    if form(value.p5) == form(value.mean) == form(value.p95):
        return form(value.mean)
    low, high = (roughly or form)(value.p5), (roughly or form)(value.p95)
    return f"{form(value.mean)} ({low}–{high})"


def _inactive(operator: Candidate) -> str:
    return "" if operator.is_active else " (inactive)"


Cell = Callable[[Candidate, Figures[Estimate]], str]
OPERATOR_COLUMNS: Mapping[str, Cell] = {
    "Weight": lambda one, _: str(one.weight),
    "Limit": lambda one, _: str(one.limit),
    "Share, %": lambda one, of: _ranged(of.share[one.operator_id], _percent, _percent_roughly),
    "Use, %": lambda one, of: _percent(of.use[one.operator_id].mean),
    "At limit, %": lambda one, of: _percent(of.at_limit[one.operator_id].mean),
}
WAITING_ROWS: Mapping[str, Callable[[Figures[Estimate]], str]] = {
    "Contacts": lambda of: _ranged(of.contacts, _count),
    "Waited": lambda of: _ranged(of.waited, _count),
    "  wait, median": lambda of: _ranged(of.wait_median, _duration),
    "  wait, 95th percentile": lambda of: _ranged(of.wait_p95, _duration),
    "Still waiting at the end": lambda of: _ranged(of.still_waiting, _count),
}


def _beside(columns: Sequence[Sequence[str]]) -> list[str]:
    """Today's cells and the changed ones in one column; what did not change is there once."""
    widths = [max(map(len, column)) for column in columns]
    today, *changed = [
        [cell.rjust(width) for cell in column]
        for column, width in zip(columns, widths, strict=True)
    ]
    if not changed or today == changed[0]:
        return today
    blank = " " * (len(ARROW) + widths[1])
    return [
        before + (blank if before.strip() == after.strip() else ARROW + after)
        for before, after in zip(today, changed[0], strict=True)
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines; the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
