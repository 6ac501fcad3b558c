"""Measures how fast the service is."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from contacts.management.commands.demo import is_empty
from stats.benchmark.admin_pages import measure
from stats.benchmark.filling import fill

MOST_CONTACTS, MOST_REPEATS = 20_000_000, 1_000


class Command(BaseCommand):
    help = (
        "Measures how fast the service is. `fill` fills an EMPTY database with operators, sources,"
        " leads, contacts and decisions, for the others to measure at; a second run refuses."
        " `admin` asks for every page of the back office and tells its queries and its server"
        " time in milliseconds; it changes nothing but the last sign-in of a superuser. Name the"
        " database by DATABASE_URL, not that of your firm."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="fill|admin")
        filling = commands.add_parser("fill", help="fill an empty database")
        filling.add_argument("--contacts", type=int, default=1_000_000, metavar="N")
        filling.add_argument("--seed", type=int, default=1, metavar="N")
        pages = commands.add_parser("admin", help="measure the pages of the back office")
        pages.add_argument("--repeats", type=int, default=5, metavar="N")
        pages.add_argument("--json", action="store_true", help="for a program to read")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["what"])(options)

    def fill(self, options: dict[str, Any]) -> None:
        count = options["contacts"]
        if not 1_000 <= count <= MOST_CONTACTS:
            raise CommandError(f"--contacts must be from 1000 to {MOST_CONTACTS}.")
        if not is_empty():
            raise CommandError("The database has data: name an empty one by DATABASE_URL.")
        fill(count, seed=options["seed"], progress=lambda done: self.progress(done, count))
        users = get_user_model().objects
        if not users.filter(is_superuser=True).exists():
            users.create_superuser("benchmark")
        self.stdout.write(f"{count} contacts are there.")

    def progress(self, done: int, whole: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{done} of {whole} ...\r", ending="")
            self.stdout.flush()

    def admin(self, options: dict[str, Any]) -> None:
        if not 1 <= options["repeats"] <= MOST_REPEATS:
            raise CommandError(f"--repeats must be from 1 to {MOST_REPEATS}.")
        user = get_user_model().objects.filter(is_superuser=True, is_active=True).first()
        if user is None:
            raise CommandError("There is no superuser: run benchmark fill first.")
        rows = []
        if not options["json"]:
            self.stdout.write("status  queries  median ms  p95 ms  page")
        for row in measure(user, options["repeats"]):
            rows.append(asdict(row))
            if not options["json"]:
                self.stdout.write(
                    f"{row.status:>6}  {row.queries:>7}  {row.median_ms:>9.1f}"
                    f"  {row.p95_ms:>6.1f}  {row.path}"
                )
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False))
