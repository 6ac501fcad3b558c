"""How long `manage.py import_contacts` takes for a file."""

import csv
import random
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE  # nosec B404 - a constant
from time import perf_counter

from contacts.invariants import check_all
from contacts.models import WAITING, Contact
from sources.models import Assignment
from stats.benchmark.children import child
from stats.benchmark.filling import MESSAGES
from stats.benchmark.processes import cpu_seconds, database_server

COLUMNS = [
    *("id", "lead_external_id", "source_code", "message"),
    *("lead_name", "lead_phone", "lead_email"),
]
TENTHS = 10
RECORDS = 100_000


class ImportFailedError(Exception):
    """The command did not do it; says what it said."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Seconds by the clock, and those of processors; None: could not be told. `broken`:
    invariants that do not hold.
    """

    rows: int
    created: int
    waiting: int
    seconds: float
    app_cpu_seconds: float
    db_cpu_seconds: float | None
    broken: list[str]

    def as_text(self) -> str:
        db = "unknown" if self.db_cpu_seconds is None else f"{self.db_cpu_seconds:.1f} s"
        return (
            f"{self.rows} rows in {self.seconds:.1f} s, {self.rows / self.seconds:.0f} a second;"
            f" processor of the command {self.app_cpu_seconds:.1f} s, of the database {db};"
            f" {self.created} contacts created, {self.waiting} of them wait."
        )


def write_file(path: Path, rows: int, *, seed: int, progress: Callable[[int], None]) -> None:
    """As many contacts, of a third as many leads, in all sources that somebody serves."""
    chance = random.Random(seed)
    codes = sorted(set(Assignment.objects.values_list("source__code", flat=True)))
    leads = max(1, rows // 3)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for n in range(rows):
            lead = chance.randrange(leads)
            writer.writerow(
                [
                    *(f"row-{n}", f"file:{lead}", chance.choice(codes), chance.choice(MESSAGES)),
                    *(f"Клиент {lead}", f"+7902{lead:07}", f"file{lead}@example.com"),
                ]
            )
            if n % max(1, rows // TENTHS) == 0:
                progress(n)
    progress(rows)


def measure(database_url: str, path: Path, rows: int) -> Imported:
    """Import that file into the database of this URL, which is in use."""
    newest = Contact.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    server = database_server()
    db, app, began = cpu_seconds(server), _children_seconds(), perf_counter()
    with child(
        ["manage.py", "import_contacts", str(path)],
        environment={"DATABASE_URL": database_url},
        stdout=PIPE,
        stderr=PIPE,
        text=True,
    ) as process:
        out, error = process.communicate()
    seconds, now = perf_counter() - began, cpu_seconds(server)
    if process.returncode:
        raise ImportFailedError(f"import_contacts failed: {(error or out).strip()}")
    created = Contact.objects.filter(pk__gt=newest)
    return Imported(
        rows=rows,
        created=created.count(),
        waiting=created.filter(WAITING).count(),
        seconds=seconds,
        app_cpu_seconds=_children_seconds() - app,
        db_cpu_seconds=None if db is None or now is None else now - db,
        broken=[each.invariant.name for each in check_all(records=RECORDS) if each.breaches],
    )


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
