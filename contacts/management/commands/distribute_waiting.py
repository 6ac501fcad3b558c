"""Hands out what waits, also where a source does not do so by itself."""

import logging
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import QuerySet

from contacts.models import WAITING, Contact, DecisionRecord
from contacts.selectors import queues
from contacts.staffing import fill_waiting
from contacts.waiting import causes
from crm_project.actor import Actor
from sources.models import Source

logger = logging.getLogger(__name__)

SHOWN = 10


class Command(BaseCommand):
    help = (
        "Hands out waiting contacts, oldest first, to whoever can take them, in sources that are"
        " not to do so by themselves too. A second run hands out what has become possible since."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", metavar="CODE", help="only of this one (all)")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show who would get how many; changes nothing, but holds others up meanwhile",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sources = named(options["source"])
        if not options["dry_run"]:
            self.distribute(sources)
            return
        with transaction.atomic():
            # No queue may join later: its operators would be locked out of order.
            found = queues(sources, switched_off=True)
            self.distribute(sources.filter(pk__in=found), dry=True)
            transaction.set_rollback(True)

    def distribute(self, sources: QuerySet[Source], *, dry: bool = False) -> None:
        newest = DecisionRecord.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        actor = Actor("command", "distribute_waiting")
        handed = fill_waiting(sources, switched_off=True, progress=self.progress, actor=actor)
        logger.info("distribute_waiting", extra={"fields": {"handed": handed, "dry_run": dry}})
        self.stdout.write(f"{handed} {'would be handed out' if dry else 'handed out'}.")
        mine = DecisionRecord.objects.filter(pk__gt=newest, actor_name=actor.name)
        got = Counter(mine.order_by().values_list("operator_name", "operator_id"))
        for (name, pk), count in got.most_common():
            self.stdout.write(f"  {name} (id {pk}): {count}")
        self.tell_who_waits(sources)

    def progress(self, handed: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{handed} ...\r", ending="")
            self.stdout.flush()

    def tell_who_waits(self, sources: QuerySet[Source]) -> None:
        waiting = Contact.objects.filter(WAITING, source__in=sources).order_by()
        left = Counter(waiting.values_list("source", flat=True))
        why = causes(list(sources.filter(pk__in=left)))
        codes = dict(sources.values_list("pk", "code"))
        for pk, count in left.most_common():
            self.stdout.write(f"  {codes[pk]}: {count} still waiting ({why[pk]})")


def named(code: str | None) -> QuerySet[Source]:
    """The source of this code; None: all. Raises a CommandError that tells the codes there are."""
    if code is None:
        return Source.objects.all()
    code = code.encode(errors="replace").decode()
    found = Source.objects.filter(code=code)
    if not found.exists():
        codes = list(Source.objects.order_by("code").values_list("code", flat=True)[: SHOWN + 1])
        more = ", ..." if len(codes) > SHOWN else ""
        there = f"There are: {', '.join(codes[:SHOWN])}{more}." if codes else "There is none yet."
        raise CommandError(f'There is no source "{code}". {there}')
    return found
