"""Sends events to who has subscribed to them, until it is told to end."""

import os
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from contacts.events.delivering import Courier

# How often to look whether the parent is there.
PARENT_SECONDS = 0.5


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
        parser.add_argument(
            "--with-parent", action="store_true", help="end when whoever started it has ended"
        )

    def handle(self, *args: Any, once: bool, with_parent: bool, **options: Any) -> None:
        stopped = threading.Event()

        def end(*_: Any) -> None:
            if not stopped.is_set():
                stopped.set()
                self.say("Ending once what is under way has come to its end.")

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
        if with_parent:
            ending = (os.getppid(), stopped)
            threading.Thread(target=_end_with, args=ending, daemon=True).start()
        if not once:
            self.say("Sending events.")
        courier = Courier(stopped=stopped, once=once)
        courier.run()
        if once:
            self.say(f"Sent: {courier.sent}.")

    def say(self, what: str) -> None:
        self.stdout.write(what)
        self.stdout.flush()


def _end_with(parent: int, stopped: threading.Event) -> None:
    while os.getppid() == parent and not stopped.wait(PARENT_SECONDS):
        pass
    stopped.set()
