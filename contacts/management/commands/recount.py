"""Compares what has been counted once with what is there, and counts anew where they differ."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.tally.drift import drift
from contacts.tally.recounting import count_anew
from contacts.text_drift import mend_texts, texts_that_differ
from crm_project.moments import one_moment

EXAMPLES = 20


class Command(BaseCommand):
    help = (
        "Looks whether the figures that are kept of closed contacts, of draws and of leads, so that"
        " the statistics cost the same at any size, and the copies of texts that searches look into"
        " are what is there; if not, counts everything anew and mends the copies, while the service"
        " goes on. Reads every contact and decision. A second run finds nothing. Exit code: 0, and"
        " 1 with --check where something was wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--check", action="store_true", help="only look; changes nothing")
        how.add_argument("--at-once", action="store_true", help="count anew without a look before")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["at_once"]:
            wrong = self.look()
            if not wrong:
                self.stdout.write("All figures are right.")
                return
            for line in wrong[:EXAMPLES]:
                self.stdout.write(line)
            self.stdout.write(f"Wrong: {len(wrong)}.")
            if options["check"]:
                raise CommandError("Run manage.py recount.")
        count_anew()
        mend_texts()
        self.stdout.write("Counted anew.")

    def look(self) -> list[str]:
        with one_moment():
            return [*drift(progress=self.progress), *texts_that_differ()]

    def progress(self, sources: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{sources} sources ...\r", ending="")
            self.stdout.flush()
