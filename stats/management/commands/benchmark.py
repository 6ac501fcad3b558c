"""Measures how fast the service is."""

import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from contacts.management.commands.demo import is_empty
from crm_project.faults import database_trouble
from stats.benchmark import addresses, arrivals, comparing, importing, scale
from stats.benchmark.filling import fill
from stats.benchmark.own_database import OwnDatabase
from stats.benchmark.pages import measure
from stats.benchmark.progress import Bar
from stats.benchmark.report import HEAD, Row, as_json
from stats.benchmark.room import NoRoomError, need_room
from stats.benchmark.scale import ratios
from stats.benchmark.service import ServiceError
from stats.benchmark.stopping import StoppedError, stoppable
from stats.management.benchmark_arguments import CHOSEN, add_to

READS = {
    "lists": addresses.lists,
    "stats": addresses.figures,
    "admin": addresses.back_office,
}
HELP = """\
Measures how fast the service is. DATABASE_URL names the database; let it not be your firm's.

`fill` fills an empty one; a second run refuses. `lists`, `stats` and `admin` ask one thing after
the other in this process, and change nothing there but the last sign-in of a superuser.

`intake`, `mix`, `scale` and `import` each time make a database of their own beside it (the user of
PostgreSQL must be allowed to) and drop it at the end, on Ctrl-C too. `intake` with several
--sources, or --against another database, compares them in turns. The first three start the service
as in production, behind a proxy that ends TLS: with an API key, its log, and requests counted, of
which 1000000 a minute are let in. CRM_WORKERS and CRM_THREADS are as you set them.

What the columns mean, and what to expect: docs/performance.md."""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_to(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        self.plain = options.get("json") == "-"
        self.progress = Bar(sys.stderr)
        what = options["what"]
        work: dict[str, Callable[[], None]] = {
            "fill": self.fill,
            "intake": self.intake,
            "mix": lambda: self.arrive(options["sources"]),
            "scale": self.scale,
            "import": self.import_file,
        }
        try:
            if options.get("json") and not self.plain:
                # Better now than after an hour.
                Path(options["json"]).open("a").close()
            with stoppable():
                work.get(what, self.read)()
        except DatabaseError as error:
            raise CommandError(database_trouble(error)) from error
        except (ServiceError, importing.ImportFailedError, NoRoomError) as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError:
            raise  # its reader has enough
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"{where}{error.strerror or error}.") from error
        except StoppedError as stop:
            raise CommandError("Interrupted.", returncode=128 + stop.number) from None

    def fill(self) -> None:
        if not is_empty():
            raise CommandError("The database has data: name an empty one by DATABASE_URL.")
        need_room(self.options["contacts"])
        self.fill_with(self.options["contacts"])
        users = get_user_model().objects
        if not users.filter(is_superuser=True).exists():
            users.create_superuser("benchmark")
        self.stdout.write(f"{self.options['contacts']} contacts are there.")

    def fill_with(self, contacts: int) -> None:
        seed, per_day = self.options["seed"], self.options["per_day"]
        fill(contacts, seed=seed, per_day=per_day, progress=self.progress)

    def read(self) -> None:
        user = get_user_model().objects.filter(is_superuser=True, is_active=True).first()
        if user is None:
            raise CommandError("There is no superuser: run benchmark fill first.")
        self.say(HEAD)
        rows = []
        for row in measure(READS[self.options["what"]](), user, self.options["repeats"]):
            rows.append(row)
            self.say(row.as_line())
        self.keep(rows=rows)

    def intake(self) -> None:
        compared = comparing.variants(self.options["sources"], self.options["against"])
        if len(compared) > 1:
            self.compare(compared)
        else:
            self.arrive(compared[0].sources)

    def compare(self, compared: list[comparing.Variant]) -> None:
        names = ("contacts", "per_day", "seed", "connections", "seconds", "requests")
        chosen = {name: self.options[name] for name in names}
        found = []
        self.say(HEAD)
        for variant, told in comparing.run(compared, rounds=self.options["rounds"], options=chosen):
            found.append((variant, told))
            self.say(replace(Row(**told["rows"][-1]), name=variant.name).as_line())
            self.say_log(told["warnings"])
        medians = comparing.medians(found)
        times = ratios([row.per_second for row in medians])
        self.say("\nMedians, and requests a second as a multiple of the first")
        for row, ratio in zip(medians, [None, *times], strict=True):
            self.say(f"{row.as_line()}{f', × {ratio:.2f}' if ratio else ''}")
        self.keep(
            rounds=[{"name": variant.name} | told for variant, told in found],
            medians=medians,
            times=times,
        )

    def arrive(self, sources: int) -> None:
        names = ("connections", "seconds", "requests", "seed")
        chosen = {name: self.options[name] for name in names}
        with OwnDatabase() as database, database.in_use():
            self.fill_with(self.options["contacts"])
            arrivals.make_room()
            found = arrivals.measure(
                database.url,
                self.options["what"],
                sources=sources,
                **chosen,
                progress=self.progress,
            )
        self.show(found.rows)
        self.say(
            f"With those to warm up: {found.created} contacts were created,"
            f" {found.answered_201} times 201 was answered,"
            f" {found.waiting} wait."
        )
        for held in found.memory_mb:
            shown = " ".join("–" if each is None else f"{each:.1f}" for each in held)
            self.say(f"Memory of a worker at the start and after each tenth, MB: {shown}")
        self.say_log(found.warnings)
        self.keep(**asdict(found))
        self.refuse(found.broken)

    def scale(self) -> None:
        names = ("per_day", "seed", "rounds", "repeats", "connections", "seconds")
        chosen = {name: self.options[name] for name in names}
        need_room(sum(self.options["sizes"]))
        found = []
        for size, rows in scale.run(self.options["sizes"], **chosen, progress=self.progress):
            found.append((size, rows))
            self.say(
                f"\n{size} contacts, round {1 + (len(found) - 1) // len(self.options['sizes'])}"
            )
            self.show(rows)
        grown, sizes = scale.grown(found), self.options["sizes"]
        self.say(f"\nMedians in ms at each size, and times the first\n{scale.head(sizes)}")
        for each in grown:
            self.say(each.as_line())
        self.keep(
            rounds=[{"contacts": size, "rows": rows} for size, rows in found],
            grown=[asdict(each) | {"times": scale.ratios(each.p50_ms)} for each in grown],
        )

    def import_file(self) -> None:
        rows = self.options["rows"]
        with (
            tempfile.TemporaryDirectory(prefix="mini-crm-benchmark-") as folder,
            OwnDatabase() as database,
            database.in_use(),
        ):
            self.fill_with(self.options["contacts"])
            arrivals.make_room()
            path = Path(folder) / "contacts.csv"
            importing.write_file(
                path,
                rows,
                seed=self.options["seed"],
                progress=lambda done: self.progress("file", done, rows),
            )
            found = importing.measure(database.url, path, rows)
        self.say(found.as_text())
        self.keep(**asdict(found))
        self.refuse(found.broken)

    def show(self, rows: list[Row]) -> None:
        self.say(HEAD)
        for row in rows:
            self.say(row.as_line())

    def say_log(self, warnings: dict[str, int]) -> None:
        for message, times in warnings.items():
            self.say(f"In the log, {times} times: {message}")

    def say(self, text: str) -> None:
        if not self.plain:
            self.stdout.write(text)

    def keep(self, **found: Any) -> None:
        """As JSON, where that was asked for."""
        if not self.options["json"]:
            return
        shown = {name: self.options[name] for name in CHOSEN if name in self.options}
        text = as_json(self.options["what"], shown, found)
        if self.plain:
            self.stdout.write(text)
        else:
            Path(self.options["json"]).write_text(text + "\n")

    def refuse(self, broken: list[str]) -> None:
        if broken:
            raise CommandError(f"Broken: {', '.join(broken)}. See manage.py check_invariants.")
