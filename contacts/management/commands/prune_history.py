"""Thins the history of decisions."""

import logging
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from contacts.pruning import delete_records, old_records, old_rotations

logger = logging.getLogger(__name__)

MOST_DAYS = 36_500


class Command(BaseCommand):
    help = (
        "Deletes the records of decisions that are older than so many days, save the newest of"
        " each open contact, and the state of smooth rotations that nobody has used since: they"
        " begin a new cycle. Fairness is then told of what is left. A second run deletes what has"
        " become old since."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            required=True,
            metavar="DAYS",
            help=f"1 to {MOST_DAYS}",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        days, dry = options["older_than"], options["dry_run"]
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--older-than must be from 1 to {MOST_DAYS} days.")
        before = timezone.now() - timedelta(days=days)
        records = 0
        for part in old_records(before):
            records += part.count() if dry else delete_records(part)
            self.progress(records)
        rotations = old_rotations(before)
        stale = rotations.count() if dry else rotations.delete()[0]
        verb = "would be deleted" if dry else "deleted"
        logger.info(
            "prune_history",
            extra={"fields": {"records": records, "rotations": stale, "dry_run": dry}},
        )
        self.stdout.write(f"{records} decisions and {stale} rotations {verb}.")

    def progress(self, records: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{records} ...\r", ending="")
            self.stdout.flush()
