"""What if other people, weights, limits or another strategy had served a source."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from math import isfinite
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from contacts.arrivals import History, first_arrival, history_of, team_of
from contacts.distribution import STRATEGIES
from contacts.management.what_if import Team, changed_team
from contacts.simulation import Scenario, Workload
from contacts.simulation_report import Report
from contacts.simulation_runs import Experiment, carry_out
from sources.models import Source

MOST_DAYS, MOST_RUNS, MOST_PROCESSES = 366, 10_000, 256
MOST_MINUTES = 1_000_000
MOST_CONTACTS = 1_000_000
BAR = 40


class Command(BaseCommand):
    help = (
        "Replays what came through a source in the last days against other weights, limits, people"
        " or another strategy, beside those of today: who gets how much, who is at the limit, how"
        " long contacts wait. Only reads; a second run with the same seed draws the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        many: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
        parser.add_argument("--source", required=True, metavar="CODE", help="which source")
        parser.add_argument("--days", type=int, default=14, help="how far back (14)")
        parser.add_argument("--runs", type=int, default=200, help="how many times (200)")
        parser.add_argument("--seed", type=int, default=1, help="another one, other draws (1)")
        parser.add_argument("--processes", type=int, help="how many at a time (one per core)")
        parser.add_argument("--json", action="store_true", help="print one JSON document instead")
        what = parser.add_argument_group("what to change", "OP is an operator's id or exact name.")
        what.add_argument("--weights", **many, metavar="OP=W", help="other weights: Anna=3 7=1")
        what.add_argument("--limits", **many, metavar="OP=L", help="other limits: Anna=12")
        what.add_argument("--remove", **many, metavar="OP", help="do without these operators")
        what.add_argument(
            "--add", **many, metavar="NAME=W:L", help="new people: Zoe=2:8 has weight 2 and limit 8"
        )
        what.add_argument("--strategy", metavar="NAME", help=" | ".join(STRATEGIES))
        work = parser.add_argument_group("instead of the history, or where there is none")
        work.add_argument(
            "--rate", type=float, metavar="PER_HOUR", help="so many contacts come, at random"
        )
        work.add_argument(
            "--handling", type=float, metavar="MINUTES", help="so long each is open, in the mean"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        check(options)
        source = source_called(options["source"])
        today = Scenario(team_of(source), source.strategy, source.sticky)
        changed = Scenario(
            changed_team(
                today.team,
                remove=options["remove"],
                weights=options["weights"],
                limits=options["limits"],
                add=options["add"],
            ),
            options["strategy"] or source.strategy,
            source.sticky,
        )
        if not changed.team:
            raise CommandError(f"Nobody serves {source.code}. --add somebody: Zoe=2:8")
        history = history_for(source, today.team, options)
        experiment = Experiment(
            scenarios=tuple(dict.fromkeys([today, changed])),
            workload=workload_for(history, options),
            runs=options["runs"],
            seed=options["seed"],
        )
        self.show = self.stdout.isatty() and not options["json"]
        figures = carry_out(experiment, processes=options["processes"], progress=self.progress)
        report = Report(source, history, experiment, figures)
        if options["json"]:
            self.stdout.write(json.dumps(report.document(), ensure_ascii=False, indent=2))
        else:
            self.stdout.write(report.text())

    def progress(self, done: int, of: int) -> None:
        """A bar that is gone when all is done."""
        before, now = BAR * (done - 1) // of, BAR * done // of
        if self.show and before < now:
            bar = f"{'#' * now}{'.' * (BAR - now)} {done} / {of}"
            self.stdout.write("\r" + (" " * len(bar) + "\r" if done == of else bar), ending="")
            self.stdout.flush()


def check(options: dict[str, Any]) -> None:
    """Raise CommandError for a number or name that makes no sense in whatever source."""
    for name, most in (("days", MOST_DAYS), ("runs", MOST_RUNS), ("processes", MOST_PROCESSES)):
        if options[name] is not None and not 1 <= options[name] <= most:
            raise CommandError(f"--{name} must be from 1 to {most}.")
    if options["handling"] is not None and not 0 < options["handling"] <= MOST_MINUTES:
        raise CommandError(f"--handling must be above 0 and at most {MOST_MINUTES} minutes.")
    if (rate := options["rate"]) is not None:
        if not (isfinite(rate) and rate > 0):
            raise CommandError("--rate must be a number of contacts an hour above 0.")
        if rate * 24 * options["days"] > MOST_CONTACTS:
            raise CommandError(
                f"--rate and --days make more than {MOST_CONTACTS} contacts: lower one of them."
            )
    if options["strategy"] not in (None, *STRATEGIES):
        raise CommandError(f"--strategy must be one of: {', '.join(STRATEGIES)}.")


def source_called(code: str) -> Source:
    code = code.encode(errors="replace").decode()
    if source := Source.objects.filter(code=code).first():
        return source
    codes = ", ".join(Source.objects.order_by("code").values_list("code", flat=True))
    raise CommandError(f'There is no source "{code}". There are: {codes or "none"}.')


def history_for(source: Source, team: Team, options: dict[str, Any]) -> History:
    """The history from the first contact of these days on, or of all of them for a `--rate`."""
    until = timezone.now()
    since = until - timedelta(days=options["days"])
    if not options["rate"]:
        first = first_arrival(source, since=since, until=until)
        if first is None:
            raise CommandError(
                f"Nothing came through {source.code} in these {options['days']} days. Look further"
                " back with --days, or give --rate and --handling to simulate without a history."
            )
        since = first
    return history_of(source, [each.operator_id for each in team], since=since, until=until)


def workload_for(history: History, options: dict[str, Any]) -> Workload:
    """What the scenarios are to cope with: the history, or what is given instead of it."""
    rate, minutes = options["rate"], options["handling"]
    if minutes is None and not history.observed:
        raise CommandError(
            "No contact of these days is closed yet, so that it is not known how long one takes:"
            " give --handling, or look further back with --days."
        )
    return Workload(
        history.seconds,
        history.arrivals,
        observed=history.observed,
        busy=history.busy,
        rate=rate and rate / 3600,
        mean_handling=minutes and minutes * 60,
    )
