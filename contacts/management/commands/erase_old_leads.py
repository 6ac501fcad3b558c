"""Erases the data of people who have been silent for long."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from contacts.erasing import erase_silent_leads
from contacts.idempotency import forget_expired
from contacts.import_runs import forget_old_runs
from contacts.retention import silent_leads
from crm_project.actor import Actor
from crm_project.errors import Busy

MOST_DAYS, MOST_IN_BATCH = 36_500, 1_000
ACTOR = Actor("command", "erase_old_leads")


class Command(BaseCommand):
    help = (
        "Erases, as erase_lead does, the personal data of the leads whose contacts were all closed"
        " more than so many days ago; who never wrote is left alone. Forgets answers kept for"
        " Idempotency-Keys and imported files that are past their time, too. Each batch is a"
        " transaction of its own: what is interrupted goes on with the next run, and a second run"
        " erases what has become old since. Meant for every night."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=int, required=True, metavar="DAYS", help=f"1 to {MOST_DAYS}"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument(
            "--batch",
            type=int,
            default=100,
            metavar="N",
            help=f"so many leads in a transaction, 1 to {MOST_IN_BATCH}; 100 unless told",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days, batch, dry = options["older_than"], options["batch"], options["dry_run"]
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--older-than must be from 1 to {MOST_DAYS} days.")
        if not 1 <= batch <= MOST_IN_BATCH:
            raise CommandError(f"--batch must be from 1 to {MOST_IN_BATCH}.")
        now = timezone.now()
        since = now - timedelta(days=days)
        if dry:
            silent = sum(len(ids) for ids in silent_leads(since, batch=batch))
            self.stdout.write(f"The data of {silent} leads would be erased.")
            return
        forget_old_runs(now)
        forget_expired(now)
        self.erase(since, batch)

    def erase(self, since: datetime, batch: int) -> None:
        people = contacts = busy = 0
        for ids in silent_leads(since, batch=batch):
            try:
                done = erase_silent_leads(ids, since=since, actor=ACTOR)
            except Busy:
                busy += len(ids)
                continue
            people, contacts = people + done.people, contacts + done.contacts
            if self.stdout.isatty():
                self.stdout.write(f"\r{people} ...\r", ending="")
                self.stdout.flush()
        self.stdout.write(f"The data of {people} leads erased, in {contacts} contacts.")
        if busy:
            raise CommandError(f"{busy} leads are being worked on. Run it again.")
