"""What the script of a widget sends, and what is made of it."""

import json
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.channels.protocol import Config, Incoming, Invalid, Refused, Request
from sources.channels.widget import PROTOCOL
from sources.tests.channels.test_anything import JUNK

SHOP = "https://shop.example"
CONFIG = Config(options={"allowed_origins": [SHOP]})
FORM = {
    "name": "Пётр",
    "phone": "8 (912) 345-67-89",
    "email": "",
    "message": "Есть чайник\nна 2 литра?",
    "website": "",
    "consent": False,
    "seconds": 12.5,
}


def sent(body=None, *, method="POST", **headers):
    """The form, with what is given in place of what it has, as the browser sends it."""
    given = {"origin": SHOP, "host": "crm.example", "content_type": "application/json"} | headers
    names = {name.replace("_", "-"): value for name, value in given.items() if value}
    form = FORM | {"event_id": str(uuid4())} | (body or {})
    return Request(method, names, {}, json.dumps(form).encode())


def taken(body=None, config=CONFIG):
    (incoming,) = PROTOCOL.answer(sent(body), config).incoming
    return incoming


def refusal(request, config=CONFIG):
    with pytest.raises(Refused) as caught:
        PROTOCOL.answer(request, config)
    return caught.value


def wrong(config=CONFIG, **body):
    with pytest.raises(Invalid) as caught:
        PROTOCOL.answer(sent(body), config)
    return caught.value.fields


def test_a_form_is_taken_as_it_was_filled_in():
    event_id = str(uuid4())
    answer = PROTOCOL.answer(sent({"event_id": event_id}), CONFIG)
    assert json.loads(answer.body) == {"status": "accepted"}
    assert answer.incoming == (
        Incoming(
            event_id,
            "phone:+79123456789",
            message=FORM["message"],
            name="Пётр",
            phone=FORM["phone"],
        ),
    )


def test_who_leaves_an_address_alone_is_known_by_it_in_small_letters():
    person = taken({"phone": "", "email": " Petr@Example.COM "})
    assert (person.external_id, person.email) == ("email:petr@example.com", "Petr@Example.COM")


def test_a_number_without_a_country_belongs_to_the_region():
    assert taken({"phone": "030 901820"}, replace(CONFIG, region="DE")).external_id == (
        "phone:+4930901820"
    )


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"phone": ""}, {"phone": "required"}),
        ({"phone": None, "email": None}, {"phone": "required"}),
        ({"phone": "12"}, {"phone": "invalid"}),
        ({"phone": "позвоните"}, {"phone": "invalid"}),
        ({"phone": "12", "email": "p@example.com"}, {"phone": "invalid"}),
        ({"email": "петр"}, {"email": "invalid"}),
        ({"email": "p@example"}, {"email": "invalid"}),
        ({"email": "p@@example.com"}, {"email": "invalid"}),
        ({"phone": "12", "email": "p"}, {"phone": "invalid", "email": "invalid"}),
        ({"message": "я" * 10_001}, {"message": "max_length"}),
        ({"name": "я" * 256}, {"name": "max_length"}),
        ({"email": "a" * 250 + "@example.com"}, {"email": "max_length"}),
    ],
)
def test_what_is_wrong_is_named(given, fields):
    assert wrong(**given) == fields


def test_consent_is_asked_for_where_there_is_a_policy():
    config = Config(options=CONFIG.options | {"privacy_url": "https://shop.example/privacy"})
    assert wrong(config) == wrong(config, consent="true") == {"consent": "required"}
    assert taken({"consent": True}, config).name == "Пётр"


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({}, True),
        ({"origin": "https://crm.example"}, True),
        ({"origin": "http://crm.example"}, True),
        ({"origin": "https://other.example", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://other.example"}, False),
        ({"origin": "https://other.example", "sec_fetch_site": "same-site"}, False),
        ({"origin": "http://shop.example"}, False),
        ({"origin": "https://shop.example:8443"}, False),
        ({"origin": "https://shop.example.evil.example"}, False),
        ({"origin": "https://crm.example.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "", "sec_fetch_site": "same-origin"}, False),
    ],
)
def test_pages_of_allowed_sites_are_let_in_and_ours(headers, let_in):
    request = sent(**headers)
    told = PROTOCOL.readable_by(request, CONFIG.options)
    assert told == (request.headers.get("origin") if let_in else "")
    if let_in:
        assert PROTOCOL.answer(request, CONFIG).incoming
    else:
        assert refusal(request).status == 403


def test_where_no_site_is_set_only_our_own_pages_are_let_in():
    assert refusal(sent(), Config()).status == 403
    assert PROTOCOL.answer(sent(origin="https://crm.example"), Config()).incoming


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"website": "https://spam.example"}, "the hidden field is filled in"),
        ({"website": 1}, "the hidden field is filled in"),
        ({"seconds": 0.4}, "filled in too fast"),
        ({"seconds": -1}, "filled in too fast"),
        ({"seconds": float("nan")}, "filled in too fast"),
    ],
)
def test_a_program_hears_that_its_form_was_taken_and_nothing_is_kept(given, why):
    answer = PROTOCOL.answer(sent(given), CONFIG)
    assert (answer.incoming, answer.ignored) == ((), why)
    assert answer.body == PROTOCOL.answer(sent(), CONFIG).body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (sent(content_type="text/plain"), 415),
        (sent(content_type=""), 415),
        (sent(method="GET"), 405),
        (replace(sent(), body=b""), 400),
        (replace(sent(), body=b"[]"), 400),
        (replace(sent(), body=b"{"), 400),
        (replace(sent(), body=b"[" * 100_000), 400),
        (replace(sent(), body=b'{"seconds": ' + b"9" * 5_000 + b"}"), 400),
        (replace(sent(), body="я".encode("cp1251")), 400),
        (sent({"seconds": None}), 400),
        (sent({"seconds": True}), 400),
        (sent({"seconds": "5"}), 400),
        (sent({"event_id": None}), 400),
        (sent({"event_id": 7}), 400),
        (sent({"event_id": "7"}), 400),
    ],
)
def test_what_the_script_would_not_send_is_refused(request_, status):
    assert refusal(request_).status == status


@given(body=st.dictionaries(st.sampled_from(["event_id", *FORM]), JUNK))
def test_a_form_with_anything_in_it_is_answered_or_refused(body):
    try:
        answer = PROTOCOL.answer(sent(body), CONFIG)
    except Refused:
        return
    for incoming in answer.incoming:
        "".join((incoming.external_id, incoming.message, incoming.name)).encode()
        assert len(incoming.external_id) <= 255


@given(headers=st.dictionaries(st.text(), st.text()), options=st.none() | JUNK)
def test_with_any_headers_and_options_no_other_site_is_let_in(headers, options):
    request = replace(sent(origin="https://other.example"), body=b"x")
    request = replace(request, headers=headers | request.headers)
    assert PROTOCOL.readable_by(request, {"allowed_origins": options}) == ""


def test_what_no_database_keeps_is_left_out():
    assert taken({"message": "а\0б\ud800в", "name": "\0П\ud800"}).message == "абв"


def test_texts_of_another_kind_count_as_empty():
    assert taken({"message": ["x"], "name": {"x": 1}}).message == ""


@pytest.mark.parametrize(
    "options", [{}, {"allowed_origins": [SHOP], "privacy_url": "https://shop.example/p"}]
)
def test_the_sample_is_let_in_and_never_the_same(options):
    config = Config(options=options)
    one, other = (PROTOCOL.answer(PROTOCOL.sample(config), config).incoming[0] for _ in range(2))
    assert UUID(one.event_id) != UUID(other.event_id)
