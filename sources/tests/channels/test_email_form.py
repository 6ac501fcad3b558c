import json
from dataclasses import replace

import pytest

from leads.identity import normalised_email, normalised_phone
from sources.channels.people import person_id
from sources.channels.protocol import Incoming, Request
from sources.tests.channels.asking import SECRETS, form, heard, refusal
from sources.tests.channels.documented import documented

FORMS = documented("email_form")
TOKEN = SECRETS["email_form"]["token"]


def as_json(fields, content_type="application/json"):
    return Request(
        "POST", {"content-type": content_type}, {"token": TOKEN}, json.dumps(fields).encode()
    )


def filled(request, **options):
    """The one that comes of it."""
    answer = heard("email_form", request, **options)
    assert (answer.body, answer.content_type) == ("ok", "text/plain")
    [incoming] = answer.incoming
    return incoming


@pytest.mark.parametrize(
    "disposition",
    ["name*=x; name*0=y", f"name*{'9' * 5000}=x", "name=a; filename*=b; filename*0=c"],
)
def test_a_part_with_a_head_that_is_none_is_refused(disposition):
    body = f"--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n1\r\n--x--".encode()
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert refusal("email_form", Request("POST", headers, {"token": TOKEN}, body)) == 400


def test_a_form_of_tilda_is_understood():
    assert filled(form(FORMS["a form of Tilda"])) == Incoming(
        event_id="1234:56789",
        external_id="phone:+79000000102",
        name="Иван",
        phone="+7 (900) 000-01-02",
        email="ivan@example.com",
    )


@pytest.mark.parametrize("more", [{}, {"token": TOKEN}])
def test_a_test_of_tilda_is_answered_ok_and_forgotten(more):
    answer = heard("email_form", form({**FORMS["a test of Tilda"], **more}))
    assert (answer.body, answer.incoming) == ("ok", ())


def test_a_lead_of_roistat_comes_by_get():
    query = FORMS["a lead of Roistat"]
    incoming = filled(Request("GET", {}, {"token": TOKEN, **query}))
    assert incoming == Incoming(
        event_id="90",
        # Which is no number that could be dialled.
        external_id="email:email@mail.com",
        message=f"{query['text']}\ntitle: Caught lead: 11230001122",
        name="Robert",
        phone="+11230001122",
        email="email@mail.com",
    )


@pytest.mark.parametrize(
    ("fields", "external_id"),
    [
        ({"phone": "8 900 000-01-02"}, "phone:+79000000102"),
        ({"phone": "12345", "email": " Ivan@Example.COM "}, "email:ivan@example.com"),
        ({"name": "Иван", "tranid": "1:2"}, "form:1:2"),
        ({"email": "a" * 300, "tranid": "1"}, "form:1"),
    ],
)
def test_a_person_is_told_by_how_to_reach_them(fields, external_id):
    assert filled(form(fields)).external_id == external_id


def test_nobody_in_particular_is_somebody_new_each_time():
    first, second = (filled(form({"message": "Здравствуйте"})) for _ in range(2))
    assert first.external_id.startswith("form:")
    assert first.external_id != second.external_id
    assert first.event_id is None


@pytest.mark.parametrize("phone", ["8 900 000-01-02", "+1 650 253 0000", "12345", "", "+7"])
@pytest.mark.parametrize("email", ["A@Ex.org", "a@", "@b", "", "a@b" + "c" * 254])
def test_who_is_who_is_what_the_leads_say(phone, email):
    told = person_id(phone=phone, email=email, event_id="1", region="RU")
    dialled, address = normalised_phone(phone, region="RU"), normalised_email(email)
    expected = (dialled and f"phone:{dialled}") or (address and f"email:{address}") or "form:1"
    assert told == expected


def given(place, token):
    request = form({"name": "Иван"}, token=None)
    if place == "query":
        return replace(request, query={"token": token})
    if place == "field":
        return form({"name": "Иван", "Token": token}, token=None)
    headers = {"x-webhook-token": token}
    if place == "bearer":
        headers = {"authorization": f"bearer {token}"}
    return replace(request, headers={**request.headers, **headers})


@pytest.mark.parametrize("place", ["query", "header", "bearer", "field"])
@pytest.mark.parametrize(
    ("token", "status"), [(TOKEN, None), ("", 401), (TOKEN[:-1], 403), (TOKEN + "x", 403)]
)
def test_the_token_may_come_in_any_of_four_places(place, token, status):
    request = given(place, token)
    assert refusal("email_form", request) == status
    if status is None:
        assert filled(request).message == ""


def test_basic_credentials_are_no_token():
    headers = {"authorization": f"Basic {TOKEN}"}
    assert refusal("email_form", replace(form({"name": "a"}, token=None), headers=headers)) == 401


def test_nothing_that_was_filled_in_is_lost():
    incoming = filled(
        form(
            [
                ("Name", "Иван"),
                ("Textarea", "Когда привезёте?"),
                ("Город", "Омск"),
                ("Цвет", "красный"),
                ("цвет", "синий"),
                ("Пусто", ""),
                ("formid", "form1"),
                ("utm_source", "yandex"),
                ("COOKIES", "a=b"),
                ("_ga", "1"),
            ]
        )
    )
    assert incoming.message == "Когда привезёте?\nГород: Омск\nЦвет: красный, синий"


def test_a_source_can_say_what_its_fields_are_called():
    fields = {"name": "Кто", "message": "Что", "event_id": "номер"}
    incoming = filled(
        form({"КТО": "Иван", "что": "Окна", "name": "Заявка", "Номер": "5", "phone": "+7"}),
        fields=fields,
    )
    assert (incoming.name, incoming.event_id, incoming.phone) == ("Иван", "5", "+7")
    assert incoming.message == "Окна\nname: Заявка"


def test_json_may_be_nested_by_one_level():
    fields = {
        "client": {"Name": "Иван", "Phone": 79000000102},
        "items": [{"sku": 1}],
        "colours": ["red", 5],
        "agreed": True,
        "nothing": None,
    }
    incoming = filled(as_json(fields))
    assert (incoming.name, incoming.phone) == ("Иван", "79000000102")
    assert incoming.message == 'items: [{"sku": 1}]\ncolours: red, 5\nagreed: true'


def test_json_is_known_under_another_name():
    assert filled(as_json({"name": "Иван"}, content_type="text/plain")).name == "Иван"


def test_a_form_in_parts_is_read():
    body = (
        '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nИван\r\n'
        '--x\r\nContent-Disposition: form-data; name="plan"; filename="plan.pdf"\r\n'
        "Content-Type: application/pdf\r\n\r\n%PDF\r\n--x--\r\n"
    ).encode()
    headers = {"content-type": "multipart/form-data; boundary=x"}
    incoming = filled(Request("POST", headers, {"token": TOKEN}, body))
    assert (incoming.name, incoming.message) == ("Иван", "plan: [файл: plan.pdf]")


@pytest.mark.parametrize("fields", [{}, {"name": "  "}, {"formid": "1", "tranid": "2"}])
def test_a_form_with_nothing_filled_in_is_refused(fields):
    assert refusal("email_form", form(fields)) == 400


def test_what_is_too_long_is_cut():
    long = "x" * 20_000
    incoming = filled(form(dict.fromkeys(("name", "phone", "email", "message", "tranid"), long)))
    lengths = [
        len(getattr(incoming, name)) for name in ("name", "phone", "email", "message", "event_id")
    ]
    assert lengths == [255, 64, 254, 10_000, 255]
    assert len(incoming.external_id) <= 255
