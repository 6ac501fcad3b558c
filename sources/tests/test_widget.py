"""The script and the address of a widget, as browsers on pages of shops use them."""

import json
from uuid import uuid4

import pytest

from contacts.models import Contact
from contacts.tests.scenes import serve
from sources.models import Channel
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
SHOP, OTHER = "https://shop.example", "https://other.example"
URL, SCRIPT = "/sources/shop/webhook", "/sources/shop/widget.js"
CORS = "Access-Control-Allow-Origin"


@pytest.fixture
def source():
    source = SourceFactory(code="shop", kind="widget")
    serve(source)
    Channel.objects.create(source=source, options={"allowed_origins": [SHOP]})
    return source


@pytest.fixture
def send(client, source):
    def post(*, origin=SHOP, language="ru", **form):
        form = {"event_id": str(uuid4()), "seconds": 9, "phone": "+7 912 345-67-89"} | form
        headers = {"Origin": origin, "Accept-Language": language} if origin else {}
        return client.post(URL, json.dumps(form), "application/json", headers=headers)

    return post


def ask(client, origin):
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return client.options(URL, headers=headers)


def test_a_form_becomes_a_contact_and_its_page_may_read_that(send):
    answer = send(message="Перезвоните")
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    assert (answer[CORS], "Origin" in answer["Vary"]) == (SHOP, True)
    contact = Contact.objects.get()
    assert (contact.message, contact.lead.external_id) == ("Перезвоните", "phone:+79123456789")
    assert contact.operator_id


def test_a_form_that_is_sent_again_makes_no_second_contact(send):
    event_id = str(uuid4())
    assert send(event_id=event_id).content == send(event_id=event_id).content
    assert Contact.objects.count() == 1


@pytest.mark.parametrize("origin", [OTHER, "null", None])
def test_a_page_of_another_site_is_refused_and_may_not_read_why(send, origin):
    answer = send(origin=origin)
    assert (answer.status_code, CORS in answer) == (403, False)
    assert not Contact.objects.exists()


@pytest.mark.usefixtures("source")
def test_a_browser_that_asks_first_hears_of_the_very_origin(client):
    answer = ask(client, SHOP)
    assert answer.status_code == 204
    assert (answer[CORS], answer["Vary"].split(", ").count("Origin")) == (SHOP, 1)
    assert answer["Access-Control-Allow-Methods"] == "POST"
    assert answer["Access-Control-Allow-Headers"] == "Content-Type"
    assert int(answer["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("origin", [OTHER, "null"])
def test_a_browser_that_asks_for_another_site_hears_of_none(client, origin):
    answer = ask(client, origin)
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]
    assert "Origin" in answer["Vary"]


def test_an_address_of_another_kind_is_for_no_page(client, source):
    source.kind = "telegram"
    source.save()
    assert CORS not in ask(client, SHOP)


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Check the number, with the code of the city or the country.")]
)
def test_what_is_wrong_is_told_at_its_field_and_may_be_read(send, language, word):
    answer = send(phone="12", language=language)
    assert (answer.status_code, answer[CORS]) == (400, SHOP)
    assert answer.json() == {
        "type": "validation_error",
        "errors": [{"code": "invalid", "detail": word, "attr": "phone"}],
    }
    assert not Contact.objects.exists()


def test_a_program_hears_that_its_form_was_taken(send, caplog):
    caplog.set_level("INFO")
    assert send(website="https://spam.example").content == send(seconds=0).content
    assert not Contact.objects.exists()
    lines = [each.fields for each in caplog.records if each.getMessage() == "request"]
    assert [line["ignored"] for line in lines] == [
        "the hidden field is filled in",
        "filled in too fast",
    ]


def test_an_address_sends_few_forms_a_minute_and_its_page_may_read_when_to_go_on(send, settings):
    settings.FORMS_PER_MINUTE_ADDRESS = 2
    assert [send().status_code for _ in range(3)] == [200, 200, 429]
    answer = send()
    assert (answer[CORS], answer["Access-Control-Expose-Headers"]) == (SHOP, "Retry-After")
    assert int(answer["Retry-After"]) > 0


def test_asking_first_is_no_form(send, client, settings):
    settings.FORMS_PER_MINUTE_ADDRESS = 1
    assert [ask(client, SHOP).status_code for _ in range(3)] == [204] * 3
    assert send().status_code == 200


def test_a_page_may_read_that_the_source_takes_nothing(send, source):
    source.is_active = False
    source.save()
    answer = send()
    assert (answer.status_code, answer[CORS]) == (409, SHOP)


@pytest.mark.usefixtures("source")
def test_the_script_is_for_everybody_and_sets_nothing(client, settings):
    settings.API_IS_OPEN = False
    answer = client.get(SCRIPT)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Cache-Control"] == "public, max-age=300"
    assert (answer[CORS], answer["Cross-Origin-Resource-Policy"]) == ("*", "cross-origin")
    assert not answer.cookies
    assert len(client.get(SCRIPT, headers={"Accept-Encoding": "gzip"}).content) < 6_000


def test_the_script_has_what_is_public_of_the_source_and_nothing_else(client, source):
    source.channel.options |= {"title": "Спросите нас </script>", "privacy_url": f"{SHOP}/p"}
    source.channel.save()
    text = client.get(SCRIPT).content.decode()
    _function, _, call = text.rpartition("\n})(")
    public = {"code": "shop", "title": "Спросите нас </script>", "privacy_url": f"{SHOP}/p"}
    assert json.loads(call.removesuffix(");\n")) == public


def test_the_script_is_sent_again_only_when_it_changed(client, source):
    tag = client.get(SCRIPT)["ETag"]
    assert client.get(SCRIPT, headers={"If-None-Match": tag}).status_code == 304
    source.channel.options |= {"title": "Спросите нас"}
    source.channel.save()
    assert client.get(SCRIPT, headers={"If-None-Match": tag}).status_code == 200


def test_the_script_of_an_inactive_source_does_nothing(client, source):
    source.is_active = False
    source.save()
    answer = client.get(SCRIPT)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("kind", ["api", "telegram", "email_form"])
def test_a_source_of_another_kind_has_no_script(client, kind):
    SourceFactory(code="shop", kind=kind)
    assert client.get(SCRIPT).status_code == 404
    assert client.get("/sources/nowhere/widget.js").status_code == 404


@pytest.mark.usefixtures("source")
def test_the_script_is_only_read(client):
    assert client.post(SCRIPT).status_code == 405


def test_the_script_costs_one_query(client, source, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get(SCRIPT)
