from datetime import UTC, datetime

import pytest

from sources.channels.protocol import Incoming, Request
from sources.tests.channels.asking import SECRETS, heard, refusal, vk
from sources.tests.channels.documented import documented

EVENTS = documented("vk")
SECRET = SECRETS["vk"]["secret"]


def event(**message):
    known = {"id": 12, "from_id": 42, "peer_id": 42, "out": 0, "date": 1_700_000_000, **message}
    return {"type": "message_new", "group_id": 1, "event_id": "e1", "object": {"message": known}}


@pytest.mark.parametrize(
    ("name", "event_id", "sent_at"),
    [
        (
            "new message",
            "event:da1b15e9f6d0c3c8a0c937e048cdd3e2b43794d0",
            datetime(2023, 5, 5, 9, 24, 30, tzinfo=UTC),
        ),
        (
            "new message before 5.103",
            "message:12",
            datetime(2018, 8, 23, 13, 6, 11, tzinfo=UTC),
        ),
    ],
)
def test_a_new_message_is_understood_in_both_forms(name, event_id, sent_at):
    answer = heard("vk", vk(EVENTS[name]))
    assert answer.incoming == (Incoming(event_id, "vk:1", "Ок", sent_at=sent_at),)
    assert (answer.body, answer.content_type) == ("ok", "text/plain")


def test_the_oldest_form_is_understood():
    old = {"type": "message_new", "group_id": 1, "object": {"id": 5, "user_id": 42, "body": "Да"}}
    [incoming] = heard("vk", vk(old)).incoming
    assert (incoming.event_id, incoming.external_id, incoming.message) == (
        "message:5", "vk:42", "Да",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["somebody joined", "outgoing message"])
def test_other_events_are_answered_ok_and_forgotten(name):
    answer = heard("vk", vk(EVENTS[name]))
    assert (answer.body, answer.incoming) == ("ok", ())
    assert answer.ignored


@pytest.mark.parametrize("secret", [None, SECRET])
def test_the_address_is_confirmed_by_the_string_alone(secret):
    answer = heard("vk", vk(EVENTS["confirmation"], secret=secret), confirmation="693d0ba9")
    assert (answer.body, answer.content_type) == ("693d0ba9", "text/plain")
    assert not answer.incoming


def test_a_confirmation_with_a_wrong_secret_is_refused():
    request = vk(EVENTS["confirmation"], secret="wrong")
    assert refusal("vk", request, confirmation="693d0ba9") == 403


def test_a_confirmation_is_refused_while_its_string_is_not_set():
    assert refusal("vk", vk(EVENTS["confirmation"])) == 403


@pytest.mark.parametrize(
    ("secret", "status"),
    [(SECRET, None), (None, 401), ("", 401), (SECRET[:-1], 403), (SECRET + "x", 403), ("нет", 403)],
)
def test_only_the_right_secret_lets_an_event_in(secret, status):
    assert refusal("vk", vk(event(text="a"), secret=secret)) == status


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"text": "Привет"}, "Привет"),
        ({"attachments": [{"type": "photo", "photo": {}}]}, "[фото]"),
        (
            {"attachments": [{"type": "doc", "doc": {"title": "смета.pdf"}}, {"type": "new"}]},
            "[документ: смета.pdf] [вложение]",
        ),
        ({"geo": {"type": "point"}}, "[местоположение]"),
        ({"fwd_messages": [{"text": "Старое"}]}, "[пересланное сообщение: Старое]"),
        ({"text": "Ответ", "reply_message": {"text": "Вопрос"}}, "Ответ"),
        ({"text": "x" * 10_001}, "x" * 10_000),
        ({"text": ""}, None),
        ({"text": "a", "out": 1}, None),
        ({"text": "a", "from_id": -42, "peer_id": -42}, None),
        ({"text": "a", "peer_id": 2_000_000_066}, None),
        ({"text": "a", "from_id": 2_000_000_066, "peer_id": 2_000_000_066}, None),
        ({"text": "a", "from_id": "x"}, None),
    ],
)
def test_what_a_person_sends_to_the_community_is_never_lost(message, expected):
    answer = heard("vk", vk(event(**message)))
    assert [each.message for each in answer.incoming] == ([] if expected is None else [expected])
    assert answer.body == "ok"


def test_vk_never_asks_by_get():
    assert refusal("vk", Request("GET", {}, {})) == 405
