from datetime import UTC, datetime

import pytest

from sources.channels.protocol import Incoming, Request
from sources.tests.channels.asking import SECRETS, heard, hmac_sha256, refusal, whatsapp
from sources.tests.channels.documented import documented

EVENTS = documented("whatsapp")
TOKEN, SECRET = SECRETS["whatsapp"]["verify_token"], SECRETS["whatsapp"]["app_secret"]


def delivery(*messages, contacts=()):
    value = {"messages": list(messages), "contacts": list(contacts)}
    return {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}


def message(**fields):
    return {"from": "79000000102", "id": "wamid.1", "timestamp": "1700000000", **fields}


def question(**query):
    return Request("GET", {}, {f"hub.{name}": value for name, value in query.items()})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", "Does it come in another color?"),
        ("image", "[фото] Taj Mahal"),
        ("interactive list", "Priority Mail Express"),
        ("interactive button", "Cancel"),
        ("reaction", None),
        ("unsupported", "[сообщение, которое WhatsApp не передаёт]"),
        ("status", None),
    ],
)
def test_every_documented_delivery_is_understood(name, expected):
    answer = heard("whatsapp", whatsapp(EVENTS[name]))
    assert [each.message for each in answer.incoming] == ([] if expected is None else [expected])
    assert bool(answer.ignored) == (expected is None)


def test_a_message_says_who_wrote_it_and_when():
    assert heard("whatsapp", whatsapp(EVENTS["text"])).incoming == (
        Incoming(
            event_id="wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=",
            external_id="whatsapp:16505551234",
            message="Does it come in another color?",
            name="Sheena Nelson",
            phone="+16505551234",
            sent_at=datetime(2025, 6, 8, 20, 59, 43, tzinfo=UTC),
        ),
    )


def test_a_delivery_of_many_messages_keeps_each_with_its_name():
    contacts = [{"wa_id": "71", "profile": {"name": "Анна"}}, {"wa_id": "72", "profile": {}}]
    several = [
        {**message(type="text", text={"body": text}), "id": text, "from": sender}
        for text, sender in (("a", "71"), ("b", "72"), ("c", "71"))
    ]
    body = delivery(*several[:2], contacts=contacts)
    body["entry"] += delivery(several[2], contacts=contacts)["entry"]
    body["entry"][0]["changes"].append({"value": EVENTS["status"]["entry"][0]["changes"][0]})
    answer = heard("whatsapp", whatsapp(body))
    assert [(each.event_id, each.name) for each in answer.incoming] == [
        ("a", "Анна"), ("b", ""), ("c", "Анна"),
    ]  # fmt: skip


def test_who_hides_the_number_is_known_by_the_id():
    contacts = [{"user_id": "RU.135", "profile": {"name": "Анна"}}]
    hidden = {"from_user_id": "RU.135", "id": "wamid.1", "type": "text", "text": {"body": "a"}}
    [incoming] = heard("whatsapp", whatsapp(delivery(hidden, contacts=contacts))).incoming
    assert (incoming.external_id, incoming.name, incoming.phone) == ("whatsapp:RU.135", "Анна", "")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "button", "button": {"payload": "x", "text": "Да"}}, "Да"),
        ({"type": "image", "image": {"id": "1"}}, "[фото]"),
        ({"type": "document", "document": {"filename": "смета.pdf"}}, "[документ: смета.pdf]"),
        ({"type": "audio", "audio": {"voice": True}}, "[голосовое сообщение]"),
        ({"type": "location", "location": {"name": "Кафе"}}, "[местоположение: Кафе]"),
        (
            {
                "type": "contacts",
                "contacts": [{"name": {"formatted_name": "Пётр"}, "phones": [{"phone": "+71"}]}],
            },
            "[контакт: Пётр, +71]",
        ),
        ({"type": "text", "text": {"body": "x" * 10_001}}, "x" * 10_000),
        ({"type": "system", "system": {"body": "changed"}}, None),
        ({"type": "text", "text": "a"}, None),
        ({"type": ["text"]}, None),
        ({"type": "text", "text": {"body": "a"}, "from": None}, None),
        ({"type": "text", "text": {"body": "a"}, "group_id": "1"}, None),
    ],
)
def test_what_a_person_sends_is_never_lost(fields, expected):
    answer = heard("whatsapp", whatsapp(delivery(message(**fields))))
    assert [each.message for each in answer.incoming] == ([] if expected is None else [expected])


def test_the_address_is_verified_by_the_challenge():
    request = question(mode="subscribe", verify_token=TOKEN, challenge="1158201444")
    answer = heard("whatsapp", request)
    assert (answer.body, answer.content_type) == ("1158201444", "text/plain")


@pytest.mark.parametrize(
    "query",
    [
        {"mode": "subscribe", "verify_token": "wrong"},
        {"mode": "subscribe", "verify_token": TOKEN[:-1]},
        {"mode": "subscribe"},
        {"mode": "unsubscribe", "verify_token": TOKEN},
        {"verify_token": TOKEN},
        {},
    ],
)
def test_another_question_is_refused(query):
    assert refusal("whatsapp", question(challenge="1", **query)) == 403


def test_the_independent_signature_is_that_of_the_standard():
    # RFC 4231, test case 2.
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?") == known


RIGHT = whatsapp(EVENTS["text"]).headers["x-hub-signature-256"]


@pytest.mark.parametrize(
    ("signature", "status"),
    [
        (RIGHT, None),
        (None, 401),
        ("", 401),
        (RIGHT[:-1], 403),
        (RIGHT + "0", 403),
        (RIGHT.upper(), 403),
        (RIGHT.removeprefix("sha256="), 403),
        (RIGHT.replace("sha256=", "sha1="), 403),
        ("sha256=", 403),
        ("не то", 403),
    ],
)
def test_only_the_right_signature_lets_a_delivery_in(signature, status):
    headers = {} if signature is None else {"x-hub-signature-256": signature}
    request = Request("POST", headers, {}, whatsapp(EVENTS["text"]).body)
    assert refusal("whatsapp", request) == status


def test_the_signature_is_of_the_octets_as_they_came():
    signed = whatsapp(EVENTS["text"])
    assert refusal("whatsapp", Request("POST", signed.headers, {}, signed.body + b" ")) == 403


def test_a_signature_by_another_secret_is_refused():
    assert refusal("whatsapp", whatsapp(EVENTS["text"], secret=SECRET + "0")) == 403
