"""Gives a person what is kept about him or her."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contacts.management.person import add_lead, named_lead
from contacts.personal_data import as_json


class Command(BaseCommand):
    help = (
        "Writes everything kept about a lead as JSON: the profile and its changes, what was merged"
        " with it, and every contact with its message. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_lead(parser)
        parser.add_argument(
            "--output", metavar="FILE", help="a new file, for its owner's eyes; else to stdout"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        lead, told = named_lead(options)
        if lead is None:
            raise CommandError(f"There is no lead {told}.")
        if options["output"] is None:
            for part in as_json(lead.pk):
                self.stdout.write(part, ending="")
            return
        try:
            self._write(options["output"], lead.pk)
        except FileExistsError as error:
            raise CommandError(
                f"{options['output']} is there already: name another file, or delete it."
            ) from error
        except OSError as error:
            raise CommandError(f"Cannot write {options['output']}: {error.strerror}.") from error
        self.stdout.write(f"Written to {options['output']}.")

    @staticmethod
    def _write(path: str, lead_id: int) -> None:
        def for_the_owner(name: str, flags: int) -> int:
            return os.open(name, flags, 0o600)

        # An old one might be for other eyes too.
        with open(path, "x", encoding="utf-8", opener=for_the_owner) as file:
            file.writelines(as_json(lead_id))
