"""Makes, lists and revokes API keys."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import override
from rest_framework.exceptions import ValidationError

from access.models import ApiKey
from access.services import create_key, revoke_key
from crm_project.actor import Actor
from sources.models import Source

ACTOR = Actor("command", "api_key")
MOST_DAYS = 36_500


class Command(BaseCommand):
    help = (
        "Makes, lists and revokes API keys, which programs send as `Authorization: Bearer <key>`."
        " `create` makes another key every time and fails where the name is taken; `revoke` a"
        " second time changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True, metavar="create|list|revoke")
        create = commands.add_parser(
            "create",
            help="make a key and write it, and nothing else, to the standard output, this once",
        )
        create.add_argument("name", metavar="NAME", help="who will use it; the history says so")
        create.add_argument(
            "--scope",
            required=True,
            choices=ApiKey.Scope.values,
            help="read: every GET; intake: create contacts in its sources; manage: everything",
        )
        create.add_argument(
            "--source",
            action="append",
            default=[],
            metavar="CODE",
            help="for intake: where it may create contacts; may be repeated",
        )
        expiry = create.add_mutually_exclusive_group()
        expiry.add_argument(
            "--expires-in-days", type=int, metavar="N", help=f"1 to {MOST_DAYS} (never)"
        )
        expiry.add_argument(
            "--expires-at",
            metavar="ISO",
            help="e.g. 2027-01-31T18:00:00+03:00 (never); without an offset in CRM_TIME_ZONE",
        )
        commands.add_parser("list", help="show all keys, the newest first, without their secrets")
        revoke = commands.add_parser("revoke", help="refuse a key from now on, for ever")
        revoke.add_argument("prefix", metavar="PREFIX", help="what `list` shows first")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, options["what"])(**options)

    def create(self, *, name: str, scope: str, source: list[str], **options: Any) -> None:
        key = ApiKey(name=name.strip(), scope=scope, expires_at=expiry_of(options))
        if not 1 <= len(key.name) <= ApiKey._meta.get_field("name").max_length:
            raise CommandError("The name needs 1 to 100 characters.")
        try:
            with override("en"):
                text = create_key(key, sources=sources_named(source), actor=ACTOR)
        except ValidationError as error:
            raise CommandError(" ".join(str(each) for [each] in error.detail.values())) from error
        self.stderr.write(f"The key of “{key.name}”, recognised by {key.prefix}. It is kept")
        self.stderr.write("nowhere and not shown again; programs send Authorization: Bearer <key>.")
        self.stdout.write(text)

    def list(self, **options: Any) -> None:
        now = timezone.now()
        for key in ApiKey.objects.prefetch_related("sources"):
            scope = " ".join([key.scope, *(source.code for source in key.sources.all())])
            used = moment(key.last_used_at) or "never"
            self.stdout.write(
                f"{key.prefix}  {key.state(now):7}  {key.name}  [{scope}]"
                f"  last used {used}, {end_of(key)}"
            )

    def revoke(self, *, prefix: str, **options: Any) -> None:
        key = ApiKey.objects.filter(prefix=prefix.removeprefix("crm_")).first()
        if key is None:
            raise CommandError(f"No API key begins so: {prefix}. See `manage.py api_key list`.")
        new = revoke_key(key, actor=ACTOR)
        self.stderr.write(f"{key} is revoked." if new else f"{key} was revoked already.")


def expiry_of(options: dict[str, Any]) -> datetime | None:
    """None: never. Raises CommandError for what is no moment to come."""
    days, text = options["expires_in_days"], options["expires_at"]
    if days is not None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--expires-in-days: give 1 to {MOST_DAYS}.")
        return timezone.now() + timedelta(days=days)
    if text is None:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"--expires-at {text}: give a time like 2027-01-31T18:00:00+03:00.")
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def end_of(key: ApiKey) -> str:
    if key.revoked_at:
        return f"revoked {moment(key.revoked_at)}"
    return f"until {moment(key.expires_at)}" if key.expires_at else "until it is revoked"


def sources_named(codes: list[str]) -> list[Source]:
    """Raises CommandError where there is no such source."""
    found = list(Source.objects.filter(code__in=codes))
    if missing := sorted(set(codes) - {source.code for source in found}):
        raise CommandError(f"No source has this code: {', '.join(missing)}.")
    return found


def moment(when: datetime | None) -> str:
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M}" if when else ""
