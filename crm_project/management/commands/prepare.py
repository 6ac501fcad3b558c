"""Makes an installation ready to serve."""

import hashlib
import ipaddress
import os
import secrets
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from contacts.management.commands.demo import is_empty
from contacts.staffing import fill_waiting
from crm_project.faults import database_trouble
from sources.models import Source


class Command(BaseCommand):
    help = (
        "Prepares the service: database, static files, the first admin user. "
        "A second run does only what is missing and changes nothing else."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="fill an empty database")
        parser.add_argument(
            "--only-static", action="store_true", help="only the static files, as for an image"
        )
        parser.add_argument("--listen", metavar="HOST:PORT", help="check that one may serve there")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["listen"]:
            check_address(*parse_address(options["listen"]))
        try:
            if options["only_static"]:
                self.collect_static_files()
                return
            keep_secret_key()
            self.migrate()
            self.collect_static_files()
            self.make_admin_user()
            if options["demo"]:
                self.fill_with_demo_data()
            # Whoever was handing this out may have been killed amid it.
            fill_waiting(Source.objects.all())
        except DatabaseError as error:
            raise CommandError(database_trouble(error)) from error
        except OSError as error:
            raise CommandError(f"Cannot write {error.filename}: {error.strerror}.") from error

    def migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Preparing the database ...")
            call_command("migrate", verbosity=0, interactive=False)

    def collect_static_files(self) -> None:
        stamp, now = settings.STATIC_ROOT / ".collected", static_files_stamp()
        if stamp.is_file() and stamp.read_text() == now:
            return
        self.stdout.write("Collecting static files ...")
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(now)

    def make_admin_user(self) -> None:
        users = get_user_model()
        if users.objects.filter(is_superuser=True).exists():
            return
        if users.objects.filter(username=settings.ADMIN_USERNAME).exists():
            raise CommandError(
                f"There is no admin user, and {settings.ADMIN_USERNAME} is somebody else: set"
                " CRM_ADMIN_USERNAME to another name."
            )
        password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
        users.objects.create_superuser(settings.ADMIN_USERNAME, password=password)
        shown = "as set in CRM_ADMIN_PASSWORD" if settings.ADMIN_PASSWORD else password
        self.stdout.write(
            f"\nAdmin user / администратор: {settings.ADMIN_USERNAME}\n"
            f"Password / пароль:          {shown}\n"
        )
        if not settings.ADMIN_PASSWORD:
            self.stdout.write("It is not shown again / больше он не появится.")

    def fill_with_demo_data(self) -> None:
        if not is_empty():
            self.stdout.write("The database has data: left as it is, without demo data.")
            return
        call_command("demo", stdout=self.stdout)


def check_address(host: str, port: int) -> None:
    """Raise a CommandError where we must not or cannot listen."""
    if settings.API_IS_OPEN and not is_loopback(host):
        raise CommandError(
            f"HOST={host} would open the API to everybody: without CRM_PRODUCTION=true only"
            " 127.0.0.1 is served. See Deployment in README.md."
        )
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(*address[:3]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
    except PermissionError as error:
        raise CommandError(f"Port {port} is for root only: choose another, PORT=8080.") from error
    except OSError as error:
        raise CommandError(
            f"Cannot listen on {host}:{port}: {error.strerror}."
            " Is it running already? Another port: PORT=8080 ./start.sh"
        ) from error


def parse_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        raise CommandError(f"--listen must be HOST:PORT, not {text!r}.")
    return host, int(port)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keep_secret_key() -> None:
    """In the first look, keep the key of this process for the server's workers and later runs.

    One that is set from outside is kept there.
    """
    file = settings.SECRET_KEY_FILE
    if settings.PRODUCTION or os.environ.get("CRM_SECRET_KEY", "").strip():
        return
    # An empty one is what a full disk left.
    if file.is_file() and file.stat().st_size:
        return
    file.parent.mkdir(exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as key:
        key.write(settings.SECRET_KEY)


def static_files_stamp() -> str:
    """Differs whenever a static file of ours or of a package does, or how they are stored."""
    parts = [str(settings.STORAGES["staticfiles"])]
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = os.stat(storage.path(path))
            # Whole seconds: images and archives keep no more.
            parts.append(f"{path} {found.st_size} {int(found.st_mtime)}")
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
