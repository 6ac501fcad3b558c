"""Tries whether a source's channel works, by an event as the channel would send it."""

import os
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Max

from contacts.models import Contact, Message
from contacts.services import change_status
from crm_project.actor import Actor
from leads.models import Lead
from leads.selectors import survivors_of
from sources.channel_settings import State, channel_of, state_of
from sources.channels.protocol import Config, Incoming, Refused, Request
from sources.channels.registry import PROTOCOLS
from sources.management.asking import NoAnswer, ask
from sources.models import Channel, Source

# Why the service may answer so, by the status.
REASONS = {
    400: "It could not read the event, or does not know the host: use --url with the address that"
    " the channel is given.",
    401: "It finds no secret in the event: is a header taken away between here and there?",
    403: "It has another secret, or none: does the service use another database or SECRET_KEY?",
    404: "It has no such source: does the service use another database, or an older version?",
    405: "Something between here and there lets no such request through.",
    409: "It takes no contacts for this source now: see whether the source is active.",
    413: "Something between here and there finds the event too large.",
    429: "Too many requests came from here: try again in a minute.",
}


class Command(BaseCommand):
    help = (
        "Sends an event, as the documentation of the source's channel has it, to the address that"
        " the channel would use, and says what came of it. This makes a real contact of a test"
        " lead, which takes an operator's place and counts in statistics; it is closed again,"
        " unless --keep is given. A second run after --keep sends a further message: where a source"
        " has one contact per conversation it is added to the contact that is open."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", metavar="CODE", help="of the source")
        parser.add_argument(
            "--url",
            default=_own_address(),
            help="where the service is, as https://crm.example.com (%(default)s, of HOST and PORT)",
        )
        parser.add_argument("--keep", action="store_true", help="leave the contact open")

    def handle(self, *args: Any, **options: Any) -> None:
        source = Source.objects.filter(code=options["code"]).first()
        if source is None:
            raise CommandError(f"There is no source with the code {options['code']}.")
        address = _address(options["url"], source)
        request, incoming = _sample(source)
        before = _newest(Contact), _newest(Message)
        self._send(request, address)
        contact = self._tell(source, incoming, *before)
        if options["keep"]:
            self.stdout.write(f"Contact № {contact.pk} stays open: close it by hand.")
            return
        change_status(
            contact.pk, status=Contact.Status.CLOSED, actor=Actor("command", "channel_check")
        )
        self.stdout.write(f"Contact № {contact.pk} was closed again.")

    def _send(self, request: Request, address: str) -> None:
        """Raises CommandError where it is not answered as the channel would want."""
        self.stdout.write(f"Sent a test event to {address}.")
        try:
            status, body = ask(request, address)
        except NoAnswer as error:
            raise CommandError(
                f"Nothing answers there ({error}). Is the service running? Is the address right?"
            ) from error
        self.stdout.write(f"Answered {status}: {body[:200] or '(an empty body)'}")
        if 300 <= status < 400:
            raise CommandError("It sends us elsewhere: use --url with that address.")
        if status != 200:
            told = "An error of the service: see its log." if status >= 500 else "It was refused."
            raise CommandError(REASONS.get(status, told))

    def _tell(self, source: Source, incoming: Incoming, contacts: int, messages: int) -> Contact:
        """Say what has come since, after these of the contacts and messages; the contact."""
        leads = survivors_of(Lead.objects.filter(external_id=incoming.external_id))
        mine = Contact.objects.filter(source=source, lead__in=leads).select_related("operator")
        contact = mine.filter(pk__gt=contacts).last()
        if contact:
            with_whom = (
                f"with {contact.operator}" if contact.operator else "waiting for an operator"
            )
            self.stdout.write(f"It made contact № {contact.pk}, {with_whom}.")
            return contact
        message = Message.objects.filter(contact__in=mine, pk__gt=messages).last()
        if message is None:
            raise CommandError(
                "Nothing came of it in this database. Does the service use another one?"
            )
        contact = mine.get(pk=message.contact_id)
        self.stdout.write(
            f"A further message: it was added to contact № {contact.pk}, which is open"
            f"{f', with {contact.operator}' if contact.operator else ', waiting for an operator'}."
        )
        return contact


def _own_address() -> str:
    """Where start.sh serves; to listen everywhere includes loopback."""
    host = os.environ.get("HOST", "").strip() or "127.0.0.1"
    port = os.environ.get("PORT", "").strip() or "8000"
    if not host.strip("0.:"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(url: str, source: Source) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(f"--url must be http://… or https://…, not {url!r}.")
    return f"{url.rstrip('/')}/sources/{source.code}/webhook"


def _sample(source: Source) -> tuple[Request, Incoming]:
    """What is to be sent, and what is to come of it. Raises CommandError where nothing can."""
    state = state_of(source)
    if state is None:
        raise CommandError(
            f"Source {source.code} is of the kind {source.kind}, which has no channel: its contacts"
            " come by POST /contacts."
        )
    if not source.is_active:
        raise CommandError(f"Source {source.code} is inactive: it takes no contacts.")
    protocol, config = PROTOCOLS[source.kind], _config(source, state)
    request = protocol.sample(config)
    try:
        [incoming] = protocol.answer(request, config).incoming
    except Refused as refused:
        raise CommandError(f"Source {source.code} is not set up: {refused.reason}.") from refused
    return request, incoming


def _config(source: Source, state: State) -> Config:
    """Raises CommandError where what is set would not do."""
    if not state.is_readable:
        raise CommandError(
            f"The secrets of source {source.code} were kept under another SECRET_KEY: set them"
            " anew, or add that key to SECRET_KEY_FALLBACKS."
        )
    if state.missing:
        missing = ", ".join(state.missing)
        raise CommandError(f"Source {source.code} is not set up: set its {missing}.")
    channel = channel_of(source) or Channel()
    return Config(channel.secrets, channel.options, region=settings.PHONE_REGION)


def _newest(rows: type[Contact | Message]) -> int:
    newest: int | None = rows._default_manager.aggregate(newest=Max("pk"))["newest"]
    return newest or 0
