"""Erases a person's data when he or she asks for it."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import APIException

from contacts.erasing import Outlook, erase_lead, outlooks
from contacts.management.person import add_lead, named_lead
from crm_project.actor import Actor


class Command(BaseCommand):
    help = (
        "Erases the personal data of a lead and of all that is merged with it: external ids,"
        " names, phones, e-mails, the messages of all contacts, and copies of these. Contacts stay"
        " without their messages, and with them statistics and the history of decisions. Cannot"
        " be undone. Refuses while a contact is open. A second run finds nothing to erase, which"
        " is no error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_lead(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be erased")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--close",
            action="store_true",
            help="close the open contacts first: their places go to those who wait",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        lead, told = named_lead(options)
        if lead is None:
            self.stdout.write(f"There is no lead {told}: nothing to erase.")
            return
        [known] = outlooks([lead.pk])
        if known.lead.erased_at:
            self.stdout.write(f"Lead № {known.lead.pk} is erased already.")
            return
        self.stdout.write(_in_words(known))
        if known.opened and not options["close"]:
            raise CommandError("Nothing is erased while a contact is open: close it, or --close.")
        if options["dry_run"]:
            self.stdout.write("Nothing was erased.")
            return
        if not options["yes"]:
            self._ask()
        try:
            actor = Actor("command", "erase_lead")
            done = erase_lead(lead.pk, close=options["close"], actor=actor)
        except APIException as error:
            raise CommandError(str(error.detail)) from error
        self.stdout.write(f"Erased. Contacts that lost their messages: {done.contacts}.")

    @staticmethod
    def _ask() -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nobody is there to be asked. Use --yes.")
        if input("This cannot be undone. Type yes to erase: ").strip().casefold() != "yes":
            raise CommandError("Nothing was erased.")


def _in_words(known: Outlook) -> str:
    merged = f", leads merged into it: {len(known.merged)}" if known.merged else ""
    return (
        f"Lead № {known.lead.pk}{merged}. Contacts: {known.contacts}, of them open: {known.opened}."
    )
