"""The Cloud API of WhatsApp, by webhooks of Meta:
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview

What is not answered with 200 is sent again for up to seven days, and delays all that follows.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from sources.channels.protocol import Answer, Config, Incoming, Protocol, Refused, Request, Secret
from sources.channels.reading import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_PHONE,
    demand_method,
    demand_secret,
    json_object,
    line,
    moment,
    octets,
    part,
    parts,
    placeholder,
    same,
    text,
)

HEADER = "x-hub-signature-256"
# What an operator reads in place of what is no text. Reactions, what is said about the chat, and
# what the API does not pass on are not among them.
KINDS = {
    "audio": "голосовое сообщение",
    "document": "документ",
    "image": "фото",
    "order": "заказ",
    "sticker": "стикер",
    "video": "видео",
    # What came first may come so, and must not be lost.
    "unsupported": "сообщение, которое WhatsApp не передаёт",
}


def answer(request: Request, config: Config) -> Answer:
    demand_method(request, "GET", "POST")
    if request.method == "GET":
        return _verification(request.query, config)
    app_secret = config.secrets.get("app_secret")
    if not app_secret:
        raise Refused(403, "app_secret is not set for the source")
    demand_secret(
        signature(app_secret, request.body), request.headers.get(HEADER, ""), name="the signature"
    )
    incoming = tuple(_incoming(json_object(request.body)))
    return Answer(incoming=incoming, ignored="" if incoming else "no message of a person")


def signature(app_secret: str, body: bytes) -> str:
    """Of the body as it came, byte by byte."""
    return f"sha256={hmac.new(octets(app_secret), body, hashlib.sha256).hexdigest()}"


def _verification(query: Mapping[str, str], config: Config) -> Answer:
    """Meta asks so when the address is entered there, and wants the challenge back."""
    if query.get("hub.mode") != "subscribe":
        raise Refused(403, "hub.mode is not subscribe")
    ours, theirs = config.secrets.get("verify_token"), query.get("hub.verify_token", "")
    # It wants a 403 for a missing one too.
    if not ours or not same(ours, theirs):
        raise Refused(403, "verify_token is wrong, or not set for the source")
    challenge = line(query.get("hub.challenge"), LONGEST_ID)
    return Answer(challenge, content_type="text/plain", ignored="the address was verified")


def _incoming(delivery: Mapping[str, Any]) -> Iterator[Incoming]:
    """Of every message of a person, in the order that they stand in."""
    for entry in parts(delivery, "entry"):
        for change in parts(entry, "changes"):
            value = part(change, "value")
            names = _names(value)
            for message in parts(value, "messages"):
                if found := _understood(message, names):
                    yield found


def _names(value: Mapping[str, Any]) -> dict[str, str]:
    """By what tells a person: the number, and the id that there is without it."""
    return {
        key: line(part(contact, "profile").get("name"), LONGEST_NAME)
        for contact in parts(value, "contacts")
        for key in (contact.get("wa_id"), contact.get("user_id"))
        if isinstance(key, str)
    }


def _understood(message: Mapping[str, Any], names: Mapping[str, str]) -> Incoming | None:
    phone = line(message.get("from"), LONGEST_PHONE - 1).removeprefix("+")
    # Who hides the number has an id instead.
    person = phone or line(message.get("from_user_id"), LONGEST_ID - len("whatsapp:"))
    said = _said(message)
    if not person or not said or message.get("group_id"):
        return None
    return Incoming(
        event_id=line(message.get("id"), LONGEST_ID) or None,
        external_id=f"whatsapp:{person}",
        message=said,
        name=names.get(person, ""),
        phone=f"+{phone}" if phone.isdigit() else "",
        sent_at=moment(message.get("timestamp")),
    )


def _said(message: Mapping[str, Any]) -> str:
    kind = text(message.get("type"))
    content = part(message, kind)
    said: object = ""
    if kind == "text":
        said = content.get("body")
    elif kind == "button":
        said = content.get("text")
    elif kind == "interactive":
        reply = part(content, "button_reply") or part(content, "list_reply")
        said = reply.get("title") or part(content, "nfm_reply").get("body")
    elif kind == "location":
        said = placeholder("местоположение", content.get("name"), content.get("address"))
    elif kind == "contacts":
        said = " ".join(_cards(message))
    elif kind in KINDS:
        shown = placeholder(KINDS[kind], content.get("filename"))
        said = f"{shown} {text(content.get('caption') or content.get('text'))}".rstrip()
    return text(said)


def _cards(message: Mapping[str, Any]) -> Iterator[str]:
    for card in parts(message, "contacts"):
        phones = [phone.get("phone") for phone in parts(card, "phones")]
        yield placeholder("контакт", part(card, "name").get("formatted_name"), *phones)


def sample(config: Config) -> Request:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages"""
    person = "16505551234"
    message = {
        "from": person,
        "id": f"wamid.{secrets.token_urlsafe(24)}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": "Does it come in another color?"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": person}],
        "messages": [message],
    }
    entry = {"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    return Request(
        method="POST",
        headers={
            "content-type": "application/json",
            HEADER: signature(config.secrets.get("app_secret", ""), body),
        },
        query={},
        body=body,
    )


PROTOCOL = Protocol(
    secrets=(Secret("verify_token"), Secret("app_secret", generated=False)),
    options=(),
    answer=answer,
    sample=sample,
)
