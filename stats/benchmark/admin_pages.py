"""How long the server works on each page of the back office."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import override_settings

from contacts.models import WAITING, Contact
from leads.models import Lead
from operators.models import Operator
from sources.models import Source


@dataclass(frozen=True, slots=True)
class Measured:
    """A page: its HTTP status, queries, and milliseconds of server time."""

    path: str
    status: int
    queries: int
    median_ms: float
    p95_ms: float


def paths() -> Iterator[str]:
    """Every list, in several orders and narrowings, a page of each object, the dashboard."""
    contact = Contact.objects.order_by("-pk").first()
    waiting = Contact.objects.filter(WAITING).first()
    lead, operator, source = (
        each.objects.order_by("-pk").first() for each in (Lead, Operator, Source)
    )
    yield from ("/admin/", "/admin/dashboard/", "/admin/dashboard/fairness/")
    contacts = "/admin/contacts/contact/"
    yield contacts
    for query in (
        "p=1",
        "p=20",
        "status__exact=new",
        "status__exact=closed",
        "waiting=yes",
        f"source__id__exact={source.pk if source else 0}",
        f"operator__id__exact={operator.pk if operator else 0}",
        "q=tg:77",
        "q=Щукин",
        "q=доберман",
        "q=нетникогда",
        "created_at_from=2025-01-01&created_at_to=2025-02-01",
    ):
        yield f"{contacts}?{query}"
    for each in (contact, waiting):
        if each:
            yield f"{contacts}{each.pk}/change/"
            yield f"{contacts}{each.pk}/history/"
            yield f"{contacts}reassign_to/?ids={each.pk}"
    yield "/admin/leads/lead/"
    for query in ("q=Щукин 77", "q=tg:77", "q=%2B79000000077", "q=8 900 000 00 77"):
        yield f"/admin/leads/lead/?{query}"
    for name, one in (
        ("leads/lead", lead),
        ("operators/operator", operator),
        ("sources/source", source),
    ):
        if one:
            yield f"/admin/{name}/"
            yield f"/admin/{name}/{one.pk}/change/"
            yield f"/admin/{name}/{one.pk}/history/"
    yield "/admin/sources/assignment/"
    yield "/admin/auth/user/"
    yield ("/admin/autocomplete/?app_label=contacts&model_name=contact&field_name=operator&term=77")


def measure(user: Any, repeats: int) -> Iterator[Measured]:
    """Ask for each page so often as that user, in this process."""
    # The rows of sessions stay as they are, and nobody need collect the static files.
    engine = "django.contrib.sessions.backends.signed_cookies"
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": backend}}
    with override_settings(SESSION_ENGINE=engine, ALLOWED_HOSTS=["localhost"], STORAGES=storages):
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        client.force_login(user)
        for path in list(paths()):
            yield _measure(client, path, repeats)


def _measure(client: Client, path: str, repeats: int) -> Measured:
    queries: list[str] = []

    def count(execute: Any, sql: str, *args: Any) -> Any:
        queries.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(count):
        status = client.get(path).status_code
    times = []
    for _ in range(repeats):
        begun = perf_counter()
        client.get(path)
        times.append(1000 * (perf_counter() - begun))
    p95 = quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return Measured(path, status, len(queries), median(times), p95)
