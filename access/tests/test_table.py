"""docs/access.md says who may do what: every cell of its table is tried."""

import re
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from access.models import ApiKey
from access.services import revoke_key
from access.tests.keys import bearer, make_key
from contacts.events.models import Delivery
from contacts.events.tests.factories import SubscriptionFactory
from contacts.tests.factories import ContactFactory
from operators.roles import OPERATOR
from operators.tests.factories import OperatorFactory
from operators.tests.people import make_lead, make_operator, make_user
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
TEXT = (django_settings.BASE_DIR / "docs" / "access.md").read_text()
ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \|(.+)\|$", re.MULTILINE)
TABLE = {
    f"{method} {path}": [int(cell) for cell in cells.split("|")]
    for method, path, cells in ROW.findall(TEXT)
}
[HEAD] = re.findall(r"^\| Request \|(.+)\|$", TEXT, re.MULTILINE)
WHO = [each.strip() for each in HEAD.split("|")]
BODIES = {
    "POST /operators": {"name": "Вера"},
    "PATCH /operators/{id}": {"name": "Вера"},
    "POST /operators/{id}/release": {"deactivate": True},
    "POST /sources": {"name": "Сайт", "code": "site"},
    "PATCH /sources/{id}": {"name": "Сайт"},
    "POST /assignments": {"operator_id": "{operator_id}", "source_id": "{source_id}"},
    "PATCH /assignments/{operator_id}/{source_id}": {"weight": 5},
    "POST /contacts": {"lead_external_id": "x", "source_code": "{code}"},
    "POST /contacts/bulk": {"contacts": [{"lead_external_id": "x", "source_code": "{code}"}]},
    "PATCH /contacts/{id}/status": {"status": "closed"},
    "POST /contacts/{id}/reassign": {},
    "POST /webhooks": {
        "name": "Склад",
        "url": "https://example.com/",
        "events": ["contact.closed"],
    },
    "PATCH /webhooks/{id}": {"name": "Склад"},
}


@pytest.fixture(autouse=True)
def _in_production(settings):
    settings.API_IS_OPEN = False


@pytest.fixture
def world():
    """What the addresses are about: by the first words of their paths."""
    anna, boris = make_operator("Анна"), make_operator("Борис")
    source = SourceFactory(code="own")
    for operator in (anna, boris):
        AssignmentFactory(operator=operator, source=source)
    return {
        "anna": anna,
        "boris": boris,
        "source": source,
        "elsewhere": SourceFactory(code="elsewhere"),
        "free": SourceFactory(code="free"),
        "idle": OperatorFactory(),
        "dead": Delivery.objects.create(subscription=SubscriptionFactory(), state="dead"),
        "own": ContactFactory(operator=anna, source=source),
        "another's": ContactFactory(operator=boris, source=source),
    }


def credential(client, who, world):
    """What the client sends with every request as that one, signed in where it is a person."""
    past = timezone.now() - timedelta(days=1)
    scope = who.split(",")[0]
    if who in ("none", "wrong"):
        return bearer("crm_" + "0" * 10 + "_" + "0" * 64) if who == "wrong" else {}
    if who in ("expired", "revoked", *ApiKey.Scope.values) or scope == "intake":
        sources = [world["source"]] if scope == "intake" else []
        known = scope if scope in ApiKey.Scope.values else "manage"
        expired = {"created_at": past, "expires_at": past + timedelta(hours=1)}
        key, text = make_key(known, *sources, **(expired if who == "expired" else {}))
        if who == "revoked":
            revoke_key(key)
        return bearer(text)
    people = {
        "superuser": lambda: make_user("boss", is_superuser=True),
        "team lead": make_lead,
        "operator, own": lambda: world["anna"].user,
        "operator, another's": lambda: world["anna"].user,
        "operator, unlinked": lambda: make_user("new", OPERATOR),
        "staff without rights": lambda: make_user("clerk"),
    }
    client.force_login(people[who]())
    return {}


def filled(value, names):
    """The body with the names in it replaced."""
    match value:
        case dict():
            return {name: filled(each, names) for name, each in value.items()}
        case list():
            return [filled(each, names) for each in value]
        case str() if value.startswith("{"):
            return names[value[1:-1]]
    return value


def ask(client, request, who, world, sent, *, method=None):
    """The answer to the request, of which nothing stays in the database."""
    named, path = request.split(" ")
    contact = world["another's" if who.endswith("another's") else "own"]
    ids = {"operators": world["idle"], "sources": world["free"], "contacts": contact}
    ids |= {"leads": contact.lead, "stats": world["source"]}
    ids |= {"webhooks": world["dead"].subscription}
    about = ids.get(path.split("/")[1])
    names = {
        "id": about and about.pk,
        "operator_id": world["anna"].pk,
        "source_id": world["source"].pk,
        "delivery_id": world["dead"].pk,
        "code": world["elsewhere" if who == "intake, another source" else "source"].code,
    }
    with transaction.atomic():
        body = filled(BODIES.get(request), names)
        kind = {"content_type": "application/json", **sent}
        call = getattr(client, (method or named).lower())
        answer = call(path.format(**names), *([body] if body is not None else []), **kind)
        transaction.set_rollback(True)
    return answer


@pytest.mark.parametrize("who", WHO)
def test_everybody_gets_what_the_table_says(client, world, who):
    sent = credential(client, who, world)
    expected = {request: cells[WHO.index(who)] for request, cells in TABLE.items()}
    answers = {request: ask(client, request, who, world, sent) for request in TABLE}
    assert {request: answer.status_code for request, answer in answers.items()} == expected
    for request, answer in answers.items():
        if answer.status_code == 401 and request != "GET /":
            assert answer["WWW-Authenticate"] == "Bearer", request


@pytest.mark.parametrize("who", WHO)
def test_head_is_as_get(client, world, who):
    sent = credential(client, who, world)
    expected = {each: cells[WHO.index(who)] for each, cells in TABLE.items() if "GET" in each}
    for request, status in expected.items():
        answer = ask(client, request, who, world, sent, method="HEAD")
        assert answer.status_code == status, request


def test_the_table_has_every_address_and_method_of_the_service():
    assert set(TABLE) == set(requests(get_resolver().url_patterns))


def requests(patterns, before="/"):
    """Every method and path that something answers, save the back office's."""
    for each in patterns:
        path = before + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(each.pattern))
        if not isinstance(each, URLPattern):
            if path != "/admin/":
                yield from requests(each.url_patterns, path)
            continue
        for method in methods_of(each.callback):
            yield f"{method} {path.replace('{pk}', '{id}')}"


def methods_of(view):
    """HEAD goes without saying; a page has no other method than GET."""
    found = getattr(view, "cls", None)
    if found is None:
        return ["GET"]
    routed = getattr(view, "actions", None) or [each for each in dir(found) if each.islower()]
    answered = set(found.http_method_names).intersection(routed) - {"head", "options"}
    return sorted(each.upper() for each in answered)
