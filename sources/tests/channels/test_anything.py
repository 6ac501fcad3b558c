"""Whatever comes: an answer or a refusal, never another error, and nothing that cannot be kept."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.channels.protocol import Answer, Config, Refused, Request
from sources.channels.registry import PROTOCOLS
from sources.tests.channels.asking import config, form, heard, refusal, telegram, vk, whatsapp
from sources.tests.channels.documented import documented

KINDS = ["telegram", "vk", "whatsapp", "email_form"]
# Of two readings of this many digits Python refuses one, and of this depth too.
MANY_DIGITS, DEEP = "9" * 5_000, 100_000


def signed(kind, body: bytes) -> Request:
    """So that it is read."""
    if kind == "telegram":
        return telegram(body)
    if kind == "email_form":
        headers = {"content-type": "application/json"}
        return replace(form({}), headers=headers, body=body)
    return whatsapp(body) if kind == "whatsapp" else Request("POST", {}, {}, body)


LONGEST = {"external_id": 255, "message": 10_000, "name": 255, "phone": 64, "email": 254}


def outcome(kind, request: Request, **options) -> Answer | int:
    """The answer, which can be kept and sent, or the status of the refusal."""
    refused = refusal(kind, request, **options)
    if refused is not None:
        assert 400 <= refused < 500
        return refused
    answer = heard(kind, request, **options)
    answer.body.encode()
    for incoming in answer.incoming:
        for name, longest in LONGEST.items():
            value = getattr(incoming, name)
            assert len(value) <= longest
            assert "\0" not in value
            value.encode()
        assert incoming.event_id is None or 0 < len(incoming.event_id) <= 275
    return answer


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def paths(value, path=()):
    """To itself and to everything within it."""
    yield path
    inner = enumerate(value) if isinstance(value, list) else ()
    for key, found in value.items() if isinstance(value, dict) else inner:
        yield from paths(found, (*path, key))


def with_junk(payload, path, junk):
    if not path:
        return junk
    copy = json.loads(json.dumps(payload))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return copy


@st.composite
def spoilt(draw, kind):
    """A documented event in which something is another thing."""
    payload = draw(st.sampled_from(list(documented(kind).values())))
    path = draw(st.sampled_from(list(paths(payload))))
    return with_junk(payload, path, draw(JUNK))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_documented_event_with_anything_in_it_is_answered_or_refused(kind, data):
    event = data.draw(spoilt(kind))
    if kind == "vk" and isinstance(event, dict):
        outcome(kind, vk(event))
    outcome(kind, signed(kind, json.dumps(event).encode()))


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.binary() | JUNK.map(json.dumps).map(str.encode))
def test_any_octets_are_answered_or_refused(kind, body):
    outcome(kind, signed(kind, body))


@given(body=st.binary(), kind=st.sampled_from(["multipart/form-data; boundary=x", "x", ""]))
def test_any_form_is_answered_or_refused(body, kind):
    for octets in (body, b"--x\r\n" + body, body.replace(b"x", b"\r\n--x\r\n")):
        outcome("email_form", replace(form({}), headers={"content-type": kind}, body=octets))


@given(data=st.data())
def test_any_form_of_the_widget_is_answered_or_refused(data):
    sent = PROTOCOLS["widget"].sample(Config())
    known = json.loads(sent.body)
    path = data.draw(st.sampled_from(list(paths(known))))
    event = with_junk(known, path, data.draw(JUNK))
    outcome("widget", replace(sent, body=json.dumps(event).encode()))


@given(query=st.dictionaries(st.text(), st.text()), headers=st.dictionaries(st.text(), st.text()))
def test_any_question_is_answered_or_refused(query, headers):
    for kind in KINDS:
        outcome(kind, Request("GET", headers, {"token": "form-token", **query}))
        outcome(kind, Request("POST", headers, query))


@given(options=st.dictionaries(st.sampled_from(["fields", "reply_text", "confirmation"]), JUNK))
def test_any_options_are_lived_with(options):
    requests = {
        "telegram": telegram(documented("telegram")["message with text"]),
        "vk": vk(documented("vk")["confirmation"]),
        "email_form": form(documented("email_form")["a form of Tilda"]),
    }
    for kind, request in requests.items():
        outcome(kind, request, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe{\x00}\x00", b"[" * DEEP, b'{"a":' * DEEP,
        b'{"update_id": ' + MANY_DIGITS.encode() + b"}",
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(kind, body):
    assert outcome(kind, signed(kind, body)) == 400


def test_a_form_that_is_deep_is_answered_or_refused():
    # What can just be read is too deep to be written.
    for depth in range(500, 1_010):
        outcome("email_form", signed("email_form", b'{"a":' * depth + b"1" + b"}" * depth))


def test_a_form_in_parts_that_is_deep_is_answered_or_refused():
    parts = b"".join(
        b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n" % (n, n + 1)
        for n in range(2_000)
    )
    headers = {"content-type": "multipart/form-data; boundary=0"}
    outcome("email_form", replace(form({}), headers=headers, body=parts))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secret", [None, ""])
def test_nothing_is_let_in_while_no_secret_is_set(kind, secret):
    names = [] if secret is None else [each.name for each in PROTOCOLS[kind].secrets]
    unset = Config(secrets=dict.fromkeys(names, ""))
    for signing in (Config(), config(kind)):
        with pytest.raises(Refused):
            PROTOCOLS[kind].answer(PROTOCOLS[kind].sample(signing), unset)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sample_is_an_event_of_somebody_new_to_us_each_time(kind):
    samples = [PROTOCOLS[kind].sample(config(kind)) for _ in range(2)]
    [first], [second] = (heard(kind, sample).incoming for sample in samples)
    assert first.event_id != second.event_id
    assert first.external_id == second.external_id
    assert first.message


@pytest.mark.parametrize("kind", KINDS)
def test_a_reason_for_the_log_tells_no_secret(kind):
    unsigned = PROTOCOLS[kind].sample(Config())
    with pytest.raises(Refused) as caught:
        PROTOCOLS[kind].answer(unsigned, config(kind))
    assert not [known for known in config(kind).secrets.values() if known in caught.value.reason]


@pytest.mark.parametrize("kind", KINDS)
def test_no_channel_puts(kind):
    assert refusal(kind, Request("PUT", {}, {})) == 405
