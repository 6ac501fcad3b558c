"""Hands on what was not taken into work in time."""

import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet
from django.utils import timezone

from contacts.management.commands.distribute_waiting import named
from contacts.models import Contact
from contacts.timeouts import hand_on, overdue
from contacts.wording import explain_timeout
from crm_project.actor import Actor

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Hands new contacts that were not taken within the time of their source to somebody else,"
        " or marks them for the team lead. The running service does so by itself, every few"
        " seconds; where it does not run, cron may do this every minute. A second run does what has"
        " become due since."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", metavar="CODE", help="only of this one (all)")
        parser.add_argument(
            "--dry-run", action="store_true", help="list what is due; change nothing, lock nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        due = overdue(named(options["source"]), now=timezone.now())
        if options["dry_run"]:
            self.list(due)
        else:
            self.hand_on(due, tell=options["verbosity"] > 1)

    def list(self, due: QuerySet[Contact]) -> None:
        for each in due.select_related("source", "operator").iterator():
            source = each.source
            more = source.response_handovers - each.handovers
            self.stdout.write(
                f"Contact {each.pk} in {source.code}, with {each.operator} since"
                f" {timezone.localtime(each.assigned_at):%Y-%m-%d %H:%M}:"
                f" {f'may be handed on, {more} more times at most' if more > 0 else 'to be marked'}"
            )
        self.stdout.write(f"{due.count()} due.")

    def hand_on(self, due: QuerySet[Contact], *, tell: bool) -> None:
        moved = marked = 0
        for pk in list(due.values_list("pk", flat=True)):
            done = hand_on(pk, actor=Actor("command", "reassign_stale"))
            moved += bool(done and done.moved)
            marked += bool(done and not done.moved)
            if done and tell:
                self.stdout.write(f"  {pk}: {explain_timeout(done.contact, done.decision)}")
        self.stdout.write(f"{moved} handed on, {marked} marked for the team lead.")
        logger.info("reassign_stale", extra={"fields": {"moved": moved, "marked": marked}})
