"""Does what the clock of the running service does, once."""

from typing import Any

from django.core.management.base import BaseCommand

from contacts.clock import tick


class Command(BaseCommand):
    help = (
        "Renews the shifts that have ended, hands out what waits for one that has begun, and hands"
        " on what was not taken in time. The running service does so by itself, every few seconds;"
        " this is for cron where it does not run. A second run does what has become due since."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done = tick()
        self.stdout.write(
            f"Shifts renewed: {done.renewed}. Contacts handed out: {done.handed}."
            f" Not taken in time: {done.late}."
        )
