"""Tells whether what must always hold does."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from contacts.invariants import Result, check_all
from crm_project.faults import database_trouble

EXAMPLES = 5
MOST_RECORDS = 1_000_000


class Command(BaseCommand):
    help = (
        "Checks the invariants that a database can tell, one line each. Exit code: 0 where all"
        " hold, 1 where one does not, 2 where it could not be told. Changes nothing, makes"
        " nobody wait, and may run every minute."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program to read")
        parser.add_argument(
            "--records",
            type=int,
            default=10_000,
            metavar="N",
            help="how many of the newest decisions are read (10000)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["records"] <= MOST_RECORDS:
            raise CommandError(f"--records must be from 1 to {MOST_RECORDS}.", returncode=2)
        try:
            results = check_all(records=options["records"])
        except DatabaseError as error:
            raise CommandError(database_trouble(error), returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(as_json(results), indent=2))
        else:
            for result in results:
                self.stdout.write(as_line(result, timed=options["verbosity"] > 1))
        broken = [each.invariant.name for each in results if each.breaches]
        if broken:
            raise CommandError(f"Broken: {', '.join(broken)}.")


def as_line(result: Result, *, timed: bool) -> str:
    invariant, breaches = result.invariant, result.breaches
    line = f"{invariant.name:<8}{'BREACH' if breaches else 'ok':<8}{invariant.claim}"
    if breaches:
        more = ", ..." if len(breaches) > EXAMPLES else ""
        line += f"; against it {len(breaches)}: {', '.join(breaches[:EXAMPLES])}{more}"
        line += f" ({invariant.advice})" if invariant.advice else ""
    return f"{line} [{1000 * result.seconds:.0f} ms]" if timed else line


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "ok": not any(each.breaches for each in results),
        "invariants": [
            {
                "name": each.invariant.name,
                "claim": each.invariant.claim,
                "ok": not each.breaches,
                "breaches": len(each.breaches),
                "examples": each.breaches[:EXAMPLES],
                "milliseconds": round(1000 * each.seconds),
            }
            for each in results
        ],
    }
