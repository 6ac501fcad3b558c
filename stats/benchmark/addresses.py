"""Which addresses are measured, each by several rows where one would stay in memory."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.db.models import Model
from django.utils import timezone

from contacts.models import WAITING, Contact
from crm_project.api.pagination import PAGE_SIZE, encode_cursor
from leads.models import Lead
from operators.models import Operator
from sources.models import Assignment, Source

SEVERAL = 25


@dataclass(frozen=True, slots=True)
class Address:
    """`name` is the same in every database; `paths` are asked for in turn."""

    name: str
    paths: list[str]


def lists() -> Iterator[Address]:
    """Every list, first and deep, alone and narrowed; searches; single objects."""
    leads, contacts = _some(Lead), _some(Contact)
    if not leads or not contacts:
        return
    middle_lead, middle = _middle(Lead), _middle(Contact)
    deep = encode_cursor("n", middle)
    phones, since = [_quoted(each.phone) for each in leads], middle.created_at.isoformat()
    narrowed = {
        "": [""],
        "status=new": ["status=new"],
        "status=closed": ["status=closed"],
        "source": [f"source={each.code}" for each in Source.objects.order_by("pk")],
        "operator_id": [f"operator_id={each.pk}" for each in Operator.objects.order_by("pk")],
        "lead_id": [f"lead_id={each.pk}" for each in leads],
        "waiting=true": ["waiting=true"],
        "escalated=true": ["escalated=true"],
        "created_after": [f"created_after={_quoted(since)}"],
        "created_before": [f"created_before={_quoted(since)}"],
        "search=word": [f"search={_quoted('доберман')}"],
        "search=external id": [f"search={each.external_id}" for each in leads],
        "search=nothing": [f"search={_quoted('нетникогда')}"],
    }
    for name, queries in narrowed.items():
        yield Address(f"/contacts {name}".strip(), [f"/contacts?{each}" for each in queries])
        deeper = [f"/contacts?{each}&cursor={deep}" for each in queries]
        yield Address(f"/contacts {name} deep".replace("  ", " "), deeper)
    yield Address("/contacts/{id}", [f"/contacts/{each.pk}" for each in contacts])
    yield Address("/contacts/{id}/history", [f"/contacts/{each.pk}/history" for each in contacts])
    yield Address("/leads", ["/leads"])
    yield Address("/leads deep", [f"/leads?cursor={encode_cursor('n', middle_lead)}"])
    yield Address("/leads phone", [f"/leads?phone={each}" for each in phones])
    yield Address(
        "/leads external_id", [f"/leads?external_id={each.external_id}" for each in leads]
    )
    yield Address("/leads search=phone", [f"/leads?search={each}" for each in phones])
    yield Address("/leads search=name", [f"/leads?search={_quoted(each.name)}" for each in leads])
    yield Address("/leads search=nothing", [f"/leads?search={_quoted('нетникогда')}"])
    yield Address("/leads/{id}", [f"/leads/{each.pk}" for each in leads])
    for model in (Operator, Source, Assignment):
        path = f"/{model._meta.model_name}s"
        yield Address(path, [path])
        last = -(-model._default_manager.count() // PAGE_SIZE) or 1
        yield Address(f"{path} last page", [f"{path}?page={last}"])


def figures() -> Iterator[Address]:
    """The statistics and the dashboard."""
    sources = list(Source.objects.order_by("pk").values_list("pk", flat=True))
    week = _quoted((timezone.now() - timedelta(days=7)).isoformat())
    yield Address("/stats", ["/stats"])
    if sources:
        of_one = [f"/stats/sources/{pk}" for pk in sources]
        yield Address("/stats/sources/{id}", of_one)
        yield Address("/stats/sources/{id} a week", [f"{each}?since={week}" for each in of_one])
    yield Address("/operators (loads)", ["/operators?ordering=current_load"])
    for path in ("/admin/", "/admin/dashboard/", "/admin/dashboard/fairness/"):
        yield Address(path, [path])


def back_office() -> Iterator[Address]:
    """Every list, in several orders and narrowings, a page of each object, the dashboard."""
    for path in _back_office_paths():
        yield Address(path, [path])


def _some(model: type[Model]) -> list[Any]:
    """Rows from all over the table, the same ones each time."""
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
    numbers = random.Random(1).sample(range(1, newest + 1), min(SEVERAL, newest))
    return list(model._default_manager.filter(pk__in=numbers).order_by("pk"))


def _middle(model: type[Model]) -> Any:
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0
    return model._default_manager.filter(pk__gte=newest // 2).order_by("pk").first()


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _back_office_paths() -> Iterator[str]:
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
