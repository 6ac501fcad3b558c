"""The Callback API of VK: https://dev.vk.com/api/callback/getting-started.

It wants `ok` for everything, or sends it again, and stops after a while.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from sources.channels.protocol import Answer, Config, Incoming, Protocol, Refused, Request, Secret
from sources.channels.reading import (
    LONGEST_ID,
    demand_method,
    demand_secret,
    json_object,
    line,
    moment,
    number,
    part,
    parts,
    placeholder,
    text,
)

# Ids from here on are of conversations of several people; communities have ids below 0.
FIRST_CHAT = 2_000_000_000
# What an operator reads in place of an attachment.
KINDS = {
    "audio": "аудиозапись",
    "audio_message": "голосовое сообщение",
    "doc": "документ",
    "gift": "подарок",
    "graffiti": "граффити",
    "link": "ссылка",
    "market": "товар",
    "photo": "фото",
    "poll": "опрос",
    "sticker": "стикер",
    "story": "история",
    "video": "видео",
    "wall": "запись",
    "wall_reply": "комментарий",
}


def answer(request: Request, config: Config) -> Answer:
    demand_method(request, "POST")
    event = json_object(request.body)
    secret, kind = text(event.get("secret")), event.get("type")
    if kind == "confirmation":
        return _confirmation(secret, config)
    demand_secret(config.secrets.get("secret"), secret, name="secret")
    if kind != "message_new":
        return _ok(ignored="not a new message")
    known = part(event, "object")
    # It was the message itself before version 5.103.
    message = part(known, "message") or known
    user_id = _author(message)
    if user_id is None:
        return _ok(ignored="not a message of a person to the community")
    written = text(message.get("text") or message.get("body"))
    # What one answers to is no news, unless there is nothing else.
    told = [each for each in (written, *_attached(message)) if each.strip()]
    said = text(" ".join(told or _forwarded(message)))
    if not said.strip():
        return _ok(ignored="a message without content")
    return _ok(
        Incoming(
            event_id=_event_id(event, message),
            external_id=f"vk:{user_id}",
            message=said,
            sent_at=moment(message.get("date")),
        )
    )


def _ok(*incoming: Incoming, ignored: str = "") -> Answer:
    return Answer(body="ok", content_type="text/plain", incoming=incoming, ignored=ignored)


def _confirmation(secret: str, config: Config) -> Answer:
    """It comes before a secret is set there, or with it. The string is not secret."""
    if secret:
        demand_secret(config.secrets.get("secret"), secret, name="secret")
    confirmation = line(config.options.get("confirmation"), LONGEST_ID)
    if not confirmation:
        raise Refused(403, "confirmation is not set for the source")
    return Answer(confirmation, content_type="text/plain", ignored="the address was confirmed")


def _author(message: Mapping[str, Any]) -> int | None:
    """None: it is nobody who writes to the community alone."""
    # `user_id` is of versions before 5.80, `peer_id` of those since.
    user_id = number(message.get("from_id", message.get("user_id")))
    peer_id = number(message.get("peer_id", user_id))
    if user_id is None or peer_id != user_id or user_id >= FIRST_CHAT:
        return None
    return None if message.get("out") in (1, True) else user_id


def _event_id(event: Mapping[str, Any], message: Mapping[str, Any]) -> str | None:
    if event_id := line(event.get("event_id"), LONGEST_ID):
        return f"event:{event_id}"
    message_id = number(message.get("id"))
    return None if message_id is None else f"message:{message_id}"


def _attached(message: Mapping[str, Any]) -> Iterator[str]:
    for attachment in parts(message, "attachments"):
        kind = attachment.get("type")
        if isinstance(kind, str):
            detail = part(attachment, kind)
            yield placeholder(KINDS.get(kind, "вложение"), detail.get("title"), detail.get("url"))
    if part(message, "geo"):
        yield placeholder("местоположение")


def _forwarded(message: Mapping[str, Any]) -> Iterator[str]:
    for forwarded in [*parts(message, "fwd_messages"), part(message, "reply_message")]:
        if forwarded:
            yield placeholder("пересланное сообщение", forwarded.get("text"))


def sample(config: Config) -> Request:
    """https://dev.vk.com/api/community-events/json-schema#message_new"""
    # No person has the id next below those of conversations.
    user_id = FIRST_CHAT - 1
    event = {
        "type": "message_new",
        "event_id": secrets.token_hex(20),
        "v": "5.199",
        "object": {
            "message": {
                "date": int(time.time()),
                "from_id": user_id,
                "id": 1,
                "out": 0,
                "attachments": [],
                "conversation_message_id": 1,
                "fwd_messages": [],
                "important": False,
                "is_hidden": False,
                "peer_id": user_id,
                "random_id": 0,
                "text": "Hello",
            },
            "client_info": {"button_actions": ["text"], "keyboard": True, "lang_id": 0},
        },
        "group_id": 1,
        "secret": config.secrets.get("secret", ""),
    }
    return Request(
        method="POST",
        headers={"content-type": "application/json"},
        query={},
        body=json.dumps(event).encode(),
    )


PROTOCOL = Protocol(
    secrets=(Secret("secret"),), options=("confirmation",), answer=answer, sample=sample
)
