"""How a command is told whose data it is about."""

from argparse import ArgumentParser
from typing import Any

from leads.models import Lead


def add_lead(parser: ArgumentParser) -> None:
    """One of the two that tell a lead apart."""
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("external_id", nargs="?", metavar="EXTERNAL_ID", help="exactly as it came")
    whose.add_argument("--id", type=int, metavar="N", help="the lead's number in this system")


def named_lead(options: dict[str, Any]) -> tuple[Lead | None, str]:
    """The lead, None if there is none, and what the command was told."""
    if options["id"] is not None:
        return Lead.objects.filter(pk=options["id"]).first(), f"№ {options['id']}"
    external_id = options["external_id"]
    return Lead.objects.filter(external_id=external_id).first(), f"“{external_id}”"
