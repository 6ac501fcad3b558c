import json
from datetime import UTC, datetime

import pytest

from sources.channels.protocol import Incoming, Request
from sources.tests.channels.asking import SECRETS, heard, refusal, telegram
from sources.tests.channels.documented import documented

EVENTS = documented("telegram")
PERSON = {"id": 42, "is_bot": False, "first_name": "Иван", "last_name": "Петров"}


def update(**message):
    chat = {"id": 42, "type": "private"}
    return {"update_id": 7, "message": {"from": PERSON, "chat": chat, "date": 1, **message}}


def said(**message):
    """What a message becomes; None: it is ignored."""
    answer = heard("telegram", telegram(update(**message)))
    assert bool(answer.incoming) != bool(answer.ignored)
    return answer.incoming[0].message if answer.incoming else None


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("message with text, no type of chat", "/start"),
        ("message with text", "/start"),
        ("forwarded message", "/start"),
        ("forwarded channel message", "/start"),
        ("message with a reply", "/start"),
        ("edited message", None),
        ("message with entities", "Bold and italics"),
        ("message with audio", "[аудиозапись]"),
        ("voice message", "[голосовое сообщение]"),
        ("message with a document", "[документ: Testfile.pdf]"),
        ("inline query", None),
        ("chosen inline query", None),
        ("callback query", "Data from button callback"),
    ],
)
def test_every_documented_update_is_understood(event, message):
    answer = heard("telegram", telegram(EVENTS[event]))
    assert [each.message for each in answer.incoming] == ([] if message is None else [message])
    assert bool(answer.ignored) == (message is None)


def test_a_message_says_who_wrote_it_and_when():
    [incoming] = heard("telegram", telegram(EVENTS["message with text"])).incoming
    assert incoming == Incoming(
        event_id="update:10000",
        external_id="telegram:1111111",
        message="/start",
        name="Test Firstname Test Lastname",
        sent_at=datetime(2015, 9, 7, 17, 5, 32, tzinfo=UTC),
    )


def test_who_has_no_name_goes_by_the_username():
    sender = {"id": 42, "first_name": "", "username": "ivan"}
    [incoming] = heard("telegram", telegram(update(text="a", **{"from": sender}))).incoming
    assert incoming.name == "ivan"


@pytest.mark.parametrize(
    ("secret", "status"),
    [
        (SECRETS["telegram"]["secret_token"], None),
        (None, 401),
        ("", 401),
        (SECRETS["telegram"]["secret_token"][:-1], 403),
        (SECRETS["telegram"]["secret_token"] + "1", 403),
        (SECRETS["telegram"]["secret_token"].upper(), 403),
        ("не тот", 403),
        ("\ud800", 403),
    ],
)
def test_only_the_right_secret_lets_an_update_in(secret, status):
    assert refusal("telegram", telegram(update(text="a"), secret=secret)) == status


def test_telegram_never_asks_by_get():
    assert refusal("telegram", Request("GET", {}, {})) == 405


@pytest.mark.parametrize(
    ("user_id", "phone"), [(42, "+79000000102"), (43, ""), (None, ""), ("42x", "")]
)
def test_only_ones_own_contact_is_a_phone(user_id, phone):
    contact = {"phone_number": "79000000102", "first_name": "Иван", "user_id": user_id}
    [incoming] = heard("telegram", telegram(update(contact=contact))).incoming
    assert incoming.phone == phone
    # Whosever it is, it can be read.
    assert incoming.message == "[контакт: Иван, 79000000102]"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"photo": [{"file_id": "x"}]}, "[фото]"),
        ({"photo": [{"file_id": "x"}], "caption": "Вот такой"}, "[фото] Вот такой"),
        ({"sticker": {"emoji": "👍"}}, "[стикер: 👍]"),
        ({"location": {"latitude": 55.7, "longitude": 37}}, "[местоположение: 55.7, 37]"),
        ({"venue": {"title": "Кафе", "address": "Тверская, 1"}}, "[место: Кафе, Тверская, 1]"),
        ({"text": "a\0b\ud800c"}, "abc"),
        ({"text": "x" * 10_001}, "x" * 10_000),
        ({"text": "   "}, None),
        ({"pinned_message": {}}, None),
        ({"new_chat_title": "x"}, None),
        ({"text": 5}, None),
        ({"text": "a", "chat": {"id": -42, "type": "group"}}, None),
        ({"text": "a", "chat": {"id": 42, "type": "supergroup"}}, None),
        ({"text": "a", "chat": {"id": 43, "type": "private"}}, None),
        ({"text": "a", "from": {**PERSON, "is_bot": True}}, None),
        ({"text": "a", "from": {"id": "x"}}, None),
    ],
)  # fmt: skip
def test_what_a_person_sends_is_never_lost(message, expected):
    assert said(**message) == expected


@pytest.mark.parametrize("kind", ["my_chat_member", "channel_post", "poll", "somethingnew"])
def test_other_updates_are_answered_and_forgotten(kind):
    answer = heard("telegram", telegram({"update_id": 7, kind: {"text": "a"}}))
    assert not answer.incoming
    assert "somethingnew" not in answer.ignored


def test_a_button_is_told_that_it_was_pressed():
    answer = heard("telegram", telegram(EVENTS["callback query"]), reply_text="Спасибо")
    assert json.loads(answer.body) == {
        "method": "answerCallbackQuery",
        "callback_query_id": "4382bfdwdsb323b2d9",
    }
    assert answer.further_body is None
    assert answer.incoming[0].sent_at is None


def test_a_button_in_a_group_is_told_and_forgotten():
    query = {**EVENTS["callback query"]["callback_query"], "message": {"chat": {"id": -5}}}
    answer = heard("telegram", telegram({"update_id": 7, "callback_query": query}))
    assert "answerCallbackQuery" in answer.body
    assert not answer.incoming


def test_who_begins_a_conversation_gets_the_reply_that_is_set_and_nobody_after():
    answer = heard("telegram", telegram(update(text="a")), reply_text="Спасибо, ответим!")
    assert json.loads(answer.body) == {
        "method": "sendMessage",
        "chat_id": 42,
        "text": "Спасибо, ответим!",
    }
    assert answer.further_body == ""


def test_without_a_reply_nothing_is_answered():
    assert heard("telegram", telegram(update(text="a"))).body == ""


@pytest.mark.parametrize("date", [0, -1, 10**18, "x", None, True, 1e9])
def test_a_time_that_no_clock_shows_is_none(date):
    [incoming] = heard("telegram", telegram(update(text="a", date=date))).incoming
    assert incoming.sent_at is None
