"""Imports contacts from a file of any size."""

import gc
import io
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from contacts.import_files import FORMATS, CsvFile, JsonLines, Row
from contacts.importing import (
    ASSIGNED,
    KNOWN,
    REFUSED,
    WAITING,
    ImportStoppedError,
    import_all,
)
from crm_project.actor import Actor
from crm_project.faults import database_trouble
from crm_project.sheets.reading import SheetError

ACTOR = Actor("command", "import_contacts")
SOME_REFUSED = 3
# As of a shell's command that Ctrl-C has ended.
STOPPED = 130
WORDS = {
    "new": "would become contacts",
    ASSIGNED: "given to operators",
    WAITING: "waiting in a queue",
    KNOWN: "there already",
    REFUSED: "refused",
}
# Seconds between two looks at the progress, on a terminal and elsewhere.
ON_TERMINAL, ELSEWHERE = 0.2, 10.0
BAR = 30


class Progress:
    """A bar on a terminal, where the size of the file is known; elsewhere a line now and then."""

    def __init__(self, stream: Any, size: int | None, position: Callable[[], int]) -> None:
        self.stream, self.size, self.position = stream, size, position
        self.pause = ON_TERMINAL if stream.isatty() else ELSEWHERE
        self.began = self.shown = time.monotonic()

    def show(self, rows: int) -> None:
        now = time.monotonic()
        if now - self.shown < self.pause:
            return
        self.shown = now
        text = f"{rows} rows, {rows / (now - self.began):.0f} rows/s"
        if self.size and (done := min(self.position(), self.size)):
            share = done / self.size
            left = (now - self.began) * (1 - share) / share
            bar = "#" * int(BAR * share)
            text = f"[{bar:<{BAR}}] {share:4.0%}  {text}, {left // 60:.0f}:{left % 60:02.0f} left"
        if self.stream.isatty():
            self.stream.write(f"\r{text}\x1b[K", ending="")
            self.stream.flush()
        else:
            self.stream.write(text)

    def end(self) -> None:
        if self.stream.isatty():
            self.stream.write("\r\x1b[K", ending="")


class Command(BaseCommand):
    help = """\
Makes contacts of the rows of a file of any size, and gives them to operators as POST /contacts
does: by weights, limits, working hours and queues, with a record of each decision.

FILE is CSV with titles in the first row, or JSON lines; "-" reads from the standard input, in the
format that --format names. Columns: lead_external_id, source_code (or source_id), message,
lead_name, lead_phone, lead_email, as in POST /contacts, and the row's own id. Others are not used.

A row becomes a contact once: a digest of its id is kept for its source, for ever. So run it again
after whatever ended it, kill -9 too: it passes over what is there and goes on. Rows that cannot be
imported go to the file of refused ones, each with the reason; put them right there and import that
file.

Exit codes: 0 all rows are contacts; 3 all are but the refused ones; 1 it could not begin or go on,
what was imported stays, and it may be run again; 2 the command line was wrong; 130 Ctrl-C."""

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help='"-": standard input')
        parser.add_argument("--format", choices=FORMATS, help="of FILE; else told by its name")
        parser.add_argument(
            "--id-column", default="id", metavar="NAME", help="which holds the row's own id (id)"
        )
        parser.add_argument(
            "--encoding", default="utf-8", help="of FILE and of its refused rows (utf-8)"
        )
        parser.add_argument(
            "--rejects",
            metavar="FILE",
            help="for refused rows, written anew (beside FILE: NAME.refused.csv or .jsonl)",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only check; writes nothing but refused rows",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What is there stays, and need not be looked through whenever many rows have been made.
        gc.freeze()
        name, form = options["file"], options["format"] or format_of(options["file"])
        rejects = Path(options["rejects"] or rejects_of(name, form))
        if name != "-" and rejects.exists() and Path(name).exists() and rejects.samefile(name):
            raise CommandError("--rejects names FILE itself, which is to stay. Name another file.")
        with ExitStack() as stack:
            try:
                binary = sys.stdin.buffer if name == "-" else stack.enter_context(open(name, "rb"))
                text = io.TextIOWrapper(
                    binary, options["encoding"], errors="surrogateescape", newline=""
                )
                stack.callback(text.detach)
                file = FORMATS[form](text, id_column=options["id_column"])
                size = Path(name).stat().st_size if name != "-" else None
                progress = Progress(self.stderr, size, binary.tell)
                how = {name: options[name] for name in ("encoding", "dry_run")}
                outcomes = self.run(file, rejects, progress, **how)
            except OSError as error:
                raise CommandError(f"{error.filename or name}: {error.strerror}") from error
            except (LookupError, UnicodeError) as error:
                raise CommandError(str(error)) from error
            except SheetError as error:
                raise CommandError(f"{name} cannot be read: {error}") from error
            except ImportStoppedError as error:
                raise CommandError(str(error)) from error
            except Error as error:
                raise CommandError(database_trouble(error)) from error
            except BrokenExecutor:
                raise CommandError(
                    "A process of the import was ended from outside. Nothing is half done; run it"
                    " again."
                ) from None
            except KeyboardInterrupt:
                said = "Stopped. What was imported stays; run it again and it goes on."
                raise CommandError(said, returncode=STOPPED) from None
        self.tell(outcomes, rejects)

    def run(
        self,
        file: CsvFile | JsonLines,
        rejects: Path,
        progress: Progress,
        *,
        encoding: str,
        dry_run: bool,
    ) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        rejects.unlink(missing_ok=True)
        with ExitStack() as stack:
            refuse: Callable[[Row, str], None] | None = None
            for imported in import_all(file, actor=ACTOR, dry_run=dry_run):
                if imported.refused and not refuse:
                    opened = rejects.open("w", newline="", encoding=encoding, errors="given_back")
                    refuse = file.refused(stack.enter_context(opened))
                for row, reason in imported.refused:
                    refuse(row, reason)
                outcomes += imported.outcomes
                progress.show(outcomes.total())
        progress.end()
        return outcomes

    def tell(self, outcomes: Counter[str], rejects: Path) -> None:
        self.stdout.write(f"Rows: {outcomes.total()}")
        for name, words in WORDS.items():
            if outcomes[name]:
                self.stdout.write(f"  {outcomes[name]} {words}")
        if outcomes[REFUSED]:
            self.stdout.write(f"Refused rows, with the reasons: {rejects}")
            sys.exit(SOME_REFUSED)


def format_of(name: str) -> str:
    """By the end of the file's name; raises CommandError."""
    form = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}.get(Path(name).suffix.lower())
    if form is None:
        raise CommandError("Name the format: --format csv or --format jsonl.")
    return form


def rejects_of(name: str, form: str) -> str:
    """Beside the file; of the standard input, in the present folder."""
    if name == "-":
        return f"import.refused.{form}"
    return str(Path(name).with_suffix(f".refused.{form}"))
