"""Sends events to who has subscribed to them, until it is told to end."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from contacts.events.delivering import Courier


class Command(BaseCommand):
    help = (
        "Sends events to their subscriptions (webhooks), in order, until SIGTERM or Ctrl-C, which"
        " let the requests under way come to their end: ten seconds at most. What fails is tried"
        " again, ever less often, for three days. Several may run at once, on one machine or on"
        " many; one that is killed loses nothing. A second run sends what has happened since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="send what is due, say how much, and end"
        )

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        stopped = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopped.set())
        if not once:
            self.stdout.write("Sending events.")
            self.stdout.flush()
        courier = Courier(stopped=stopped, once=once)
        courier.run()
        if once:
            self.stdout.write(f"Sent: {courier.sent}.")
