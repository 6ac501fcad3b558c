"""The Telegram Bot API: https://core.telegram.org/bots/api, updates sent to a webhook.

What is answered may itself be one call of a method of the API.
"""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from sources.channels.protocol import Answer, Config, Incoming, Protocol, Request, Secret
from sources.channels.reading import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_PHONE,
    demand_method,
    demand_secret,
    json_object,
    line,
    moment,
    number,
    part,
    placeholder,
    text,
)

HEADER = "x-telegram-bot-api-secret-token"
# What an operator reads in place of what is no text. All else is about the chat, not from a person.
KINDS = {
    "animation": "анимация",
    "audio": "аудиозапись",
    "checklist": "список дел",
    "dice": "игральная кость",
    "document": "документ",
    "game": "игра",
    "paid_media": "платное вложение",
    "photo": "фото",
    "poll": "опрос",
    "sticker": "стикер",
    "story": "история",
    "video": "видео",
    "video_note": "видеосообщение",
    "voice": "голосовое сообщение",
}
# Of what else there is, the names, which may be logged: a stranger's might say anything.
OTHERS = {
    "business_message",
    "channel_post",
    "chat_join_request",
    "chat_member",
    "chosen_inline_result",
    "edited_channel_post",
    "edited_message",
    "inline_query",
    "message_reaction",
    "my_chat_member",
    "poll",
    "poll_answer",
    "pre_checkout_query",
    "shipping_query",
}


def answer(request: Request, config: Config) -> Answer:
    demand_method(request, "POST")
    demand_secret(
        config.secrets.get("secret_token"), request.headers.get(HEADER, ""), name="secret_token"
    )
    update = json_object(request.body)
    update_id = number(update.get("update_id"))
    event_id = None if update_id is None else f"update:{update_id}"
    if message := part(update, "message"):
        return _message(message, event_id, config)
    if query := part(update, "callback_query"):
        return _button(query, event_id)
    known = ", ".join(sorted(update.keys() & OTHERS)) or "nothing known"
    return Answer(ignored=f"an update of {known}")


def _message(message: dict[str, Any], event_id: str | None, config: Config) -> Answer:
    sender = part(message, "from")
    user_id = number(sender.get("id"))
    if user_id is None or not _between_us(message, user_id):
        return Answer(ignored="not a message of a private chat")
    if sender.get("is_bot") is True:
        return Answer(ignored="a message of a bot")
    said = _said(message)
    if not said:
        return Answer(ignored="a message about the chat")
    return Answer(
        body=_reply(user_id, config),
        further_body="",
        incoming=(
            Incoming(
                event_id=event_id,
                external_id=f"telegram:{user_id}",
                message=said,
                name=_name(sender),
                phone=_own_phone(message, user_id),
                sent_at=moment(message.get("date")),
            ),
        ),
    )


def _button(query: dict[str, Any], event_id: str | None) -> Answer:
    """Whatever comes of it, the button must be told, or it goes on turning for minutes."""
    sender = part(query, "from")
    user_id = number(sender.get("id"))
    query_id = line(query.get("id"), LONGEST_ID)
    body = json.dumps({"method": "answerCallbackQuery", "callback_query_id": query_id})
    said = text(query.get("data"))
    message = part(query, "message")
    if user_id is None or (message and not _between_us(message, user_id)):
        return Answer(body=body, ignored="not a button of a private chat")
    if not said.strip():
        return Answer(body=body, ignored="a button that says nothing")
    return Answer(
        body=body,
        # `message.date` is when the bot wrote, not when the button was pressed.
        incoming=(Incoming(event_id, f"telegram:{user_id}", said, name=_name(sender)),),
    )


def _between_us(message: Mapping[str, Any], user_id: int) -> bool:
    """A private chat has the id of the person. Older examples of theirs name no type."""
    chat = part(message, "chat")
    return number(chat.get("id")) == user_id and chat.get("type", "private") == "private"


def _said(message: Mapping[str, Any]) -> str:
    said = text(message.get("text"))
    if said.strip():
        return said
    if contact := part(message, "contact"):
        return placeholder("контакт", _full_name(contact), contact.get("phone_number"))
    if venue := part(message, "venue"):
        return placeholder("место", venue.get("title"), venue.get("address"))
    if location := part(message, "location"):
        return placeholder("местоположение", *map(location.get, ("latitude", "longitude")))
    for kind, word in KINDS.items():
        if found := message.get(kind):
            detail = found if isinstance(found, dict) else {}
            shown = placeholder(word, detail.get("file_name") or detail.get("emoji"))
            return f"{shown} {text(message.get('caption'))}".rstrip()
    return ""


def _own_phone(message: Mapping[str, Any], user_id: int) -> str:
    """Anybody can share anybody's contact: only their own says how to reach them."""
    contact = part(message, "contact")
    if number(contact.get("user_id")) != user_id:
        return ""
    phone = line(contact.get("phone_number"), LONGEST_PHONE - 1)
    # It is international, with the plus or without.
    return f"+{phone}" if phone.isdigit() else phone


def _name(sender: Mapping[str, Any]) -> str:
    return _full_name(sender) or line(sender.get("username"), LONGEST_NAME)


def _full_name(person: Mapping[str, Any]) -> str:
    first, last = (line(person.get(key), LONGEST_NAME) for key in ("first_name", "last_name"))
    return f"{first} {last}".strip()[:LONGEST_NAME]


def _reply(user_id: int, config: Config) -> str:
    reply = text(config.options.get("reply_text"), longest=4096)
    if not reply.strip():
        return ""
    return json.dumps({"method": "sendMessage", "chat_id": user_id, "text": reply})


def sample(config: Config) -> Request:
    """https://core.telegram.org/bots/webhooks#testing-your-bot-with-updates"""
    # Ids have 52 bits at most: the highest is nobody's.
    person = {"id": 2**52 - 1, "first_name": "Test Firstname", "last_name": "Test Lastname"}
    update = {
        "update_id": secrets.randbelow(2**31) + 1,
        "message": {
            "date": int(time.time()),
            "chat": {**person, "type": "private"},
            "message_id": 1365,
            "from": person,
            "text": "/start",
        },
    }
    return Request(
        method="POST",
        headers={
            "content-type": "application/json",
            HEADER: config.secrets.get("secret_token", ""),
        },
        query={},
        body=json.dumps(update).encode(),
    )


PROTOCOL = Protocol(
    secrets=(Secret("secret_token"),),
    options=("reply_text",),
    answer=answer,
    sample=sample,
)
