"""The channels against the service as a process of its own: what they document, signed without its
code, with wrong secrets, cut off, doubled and in another order.
"""

import contextlib
import json
import random
import sqlite3
from collections import Counter
from dataclasses import replace

import pytest

from crm_project.testing.service import Service
from sources.management.asking import ask
from sources.tests.channels.asking import SECRETS, form, telegram, vk, whatsapp
from sources.tests.channels.documented import documented

pytestmark = pytest.mark.once

SIGNED = {"telegram": telegram, "vk": vk, "whatsapp": whatsapp, "email_form": form}
WRONG = {
    "telegram": lambda event: telegram(event, secret="wrong"),
    "vk": lambda event: vk(event, secret="wrong"),
    "whatsapp": lambda event: whatsapp(event, secret="wrong"),
    "email_form": lambda event: form(event, token="wrong"),
}
# What comes of the documented events: contacts, and messages further to them.
EXPECTED = {"telegram": (1, 9), "vk": (1, 1), "whatsapp": (1, 4), "email_form": (2, 0)}
SET_UP = """
import json
from sources.models import Channel, Source
kept = json.loads({secrets!r})
for code, kind in [*zip(kept, kept), ("checked", "telegram")]:
    reuse, secrets = kind != "email_form", kept[kind]
    source = Source.objects.create(name=code, code=code, kind=kind, reuse_open_contact=reuse)
    channel = Channel(source=source, options={{"confirmation": "693d0ba9"}})
    channel.secrets = secrets
    channel.save()
"""
KEPT = """
SELECT count(DISTINCT contact.id), count(message.id)
FROM contacts_contact contact
JOIN sources_source source ON source.id = contact.source_id
LEFT JOIN contacts_message message ON message.contact_id = contact.id
WHERE source.code = ?
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(f"sqlite:///{tmp_path_factory.mktemp('served') / 'db.sqlite3'}")
    service.migrate()
    service.manage("shell", "-c", SET_UP.format(secrets=json.dumps(SECRETS)))
    try:
        service.start()
        yield service
    finally:
        service.kill()


def numbered(kind):
    """The documented events with an id for each: the pages use one for many."""
    for number, event in enumerate(documented(kind).values(), start=1):
        text = json.dumps(event).replace('"update_id": 10000', f'"update_id": {number}')
        yield json.loads(text.replace("wamid.HBgLMTY1MDM4Nzk0", f"wamid.{number}"))


def kept(service, kind):
    """How many contacts, and how many further messages."""
    path = service.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(KEPT, [kind]).fetchone()


@pytest.mark.parametrize("kind", SIGNED)
def test_what_a_channel_documents_is_taken_once_however_it_comes(service, kind):
    address = f"{service.url}/sources/{kind}/webhook"
    events = list(numbered(kind))
    refused = [WRONG[kind](event) for event in events]
    cut = [replace(SIGNED[kind](event), body=SIGNED[kind](event).body[:-9]) for event in events]
    if kind == "email_form":
        # What is left of a form is a form.
        cut = []
    statuses = Counter(ask(request, address)[0] for request in refused + cut)
    assert set(statuses) <= {400, 403}
    assert kept(service, kind) == (0, 0)
    doubled = [SIGNED[kind](event) for event in events * 2]
    random.Random(1).shuffle(doubled)
    assert {ask(request, address)[0] for request in doubled} == {200}
    assert kept(service, kind) == EXPECTED[kind]


def test_each_channel_hears_what_it_waits_for(service):
    asked = {"hub.mode": "subscribe", "hub.verify_token": "verify-me", "hub.challenge": "115"}
    question = replace(whatsapp({}), method="GET", query=asked)
    assert ask(question, f"{service.url}/sources/whatsapp/webhook") == (200, "115")
    event = documented("vk")["confirmation"]
    assert ask(vk(event), f"{service.url}/sources/vk/webhook") == (200, "693d0ba9")
    event = documented("vk")["somebody joined"]
    assert ask(vk(event), f"{service.url}/sources/vk/webhook") == (200, "ok")


def test_the_command_finds_the_service_by_its_settings_and_says_what_came_of_it(service):
    said = service.manage("channel_check", "checked", "--keep").stdout
    assert f"Sent a test event to {service.url}/sources/checked/webhook." in said
    assert "It made contact" in said
    assert "A further message" in service.manage("channel_check", "checked").stdout
    assert kept(service, "checked") == (1, 1)
