"""The watch over the log of every test (conftest.py) sees what it is to see."""

import http.client
import logging
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from django.test import Client

from contacts.tests.factories import ContactFactory
from crm_project.testing import service
from crm_project.testing.secrets import watching
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory
from stats import views

pytestmark = pytest.mark.django_db
PHONE = "+7 900 123-45-67"
JSON = {"content_type": "application/json"}


@pytest.fixture
def watch():
    """A watch of its own: that of conftest.py must not see what is logged on purpose."""
    with watching() as watch:
        yield watch


@pytest.fixture
def tell(watch):
    """Log a text on purpose, unseen by the watch of conftest.py."""

    def tell(text):
        record = logging.LogRecord("contacts", logging.DEBUG, "", 1, text, (), None)
        watch.handler.handle(record)
        return [secret for secret, _line in watch.leaks()]

    return tell


@pytest.mark.parametrize(
    "field", ["message", "lead_name", "lead_phone", "lead_email", "lead_external_id"]
)
@pytest.mark.parametrize("in_bulk", [False, True])
def test_what_a_contact_is_made_of(client, tell, field, in_bulk):
    body = {"source_code": "tg", field: "Марк Щукин"}
    if in_bulk:
        client.post("/contacts/bulk", {"contacts": [body]}, **JSON)
    else:
        client.post("/contacts", body, **JSON)
    assert tell("it was Марк Щукин") == ["Марк Щукин"]


def test_a_password_in_a_form(client, tell):
    client.post("/admin/login/", {"username": "boss", "password": "pass word 1"})
    assert tell("it was pass word 1") == ["pass word 1"]


def test_credentials_and_keys(client, tell):
    headers = {"authorization": "Bearer crm_k1_S3cr3t", "idempotency-key": "order-77"}
    client.post("/contacts", {}, **JSON, headers=headers)
    assert set(tell("crm_k1_S3cr3t order-77")) == {"crm_k1_S3cr3t", "order-77"}


def test_the_cookie_of_a_session(admin_client, tell):
    admin_client.get("/admin/")
    key = admin_client.cookies["sessionid"].value
    assert tell(f"session {key}") == [key]


def test_the_cookie_of_a_session_may_have_letters_only(client, tell):
    key = "abcdefghijklmnopqrstuvwxyzabcdef"
    client.cookies["sessionid"] = key
    client.get("/admin/")
    assert tell(f"session {key}") == [key]


@pytest.mark.parametrize("form", [PHONE, "%2B7%20900%20123-45-67"])
def test_what_was_searched_for_however_written(client, tell, form):
    client.get("/leads", {"phone": PHONE})
    assert tell(f"/leads?phone={form}") == [PHONE]


def test_what_lies_in_the_database(tell):
    LeadFactory(external_id="client-77", name="Марк Щукин", phone=PHONE, email="mark@example.com")
    ContactFactory(message="Где мой заказ?")
    OperatorFactory(name="Анна Королёва")
    told = ["client-77", "Марк Щукин", PHONE, "mark@example.com", "Где мой заказ?", "Анна Королёва"]
    assert set(tell(" ".join(told))) == set(told)


def test_what_a_service_wrote(watch, tmp_path):
    with pytest.raises(URLError):
        urlopen(Request("http://127.0.0.1:1/leads?phone=123456789012", b'{"message": "a:b:c:d"}'))
    service.outputs.append((tmp_path / "log").open("w+b"))
    service.outputs[-1].write(b"one\nof a:b:c:d\nand 123456789012")
    service.outputs[-1].flush()
    assert {line for _secret, line in watch.leaks()} == {"of a:b:c:d", "and 123456789012"}
    assert service.outputs == []


def test_it_sees_the_lines_of_the_code(client, watch, monkeypatch):
    def leak():
        logging.getLogger("stats").debug("of %s", PHONE)
        logging.getLogger("stats").debug("of nobody")
        return {}

    monkeypatch.setattr(views, "overview", leak)
    client.get("/stats", {"search": PHONE})
    messages = "".join(watch.handler.lines)
    assert "of ?" in messages
    assert "of nobody" in messages
    assert '"route": "stats"' in messages
    assert watch.leaks() == []


@pytest.mark.parametrize("word", ["tg", "telegram", "123456", "in_progress"])
def test_ordinary_words_are_no_secrets(client, tell, word):
    client.post("/contacts", {"message": word, "lead_name": word}, **JSON)
    assert tell(f"source {word}") == []


def test_afterwards_all_is_as_before():
    before = Client.generic, http.client.HTTPConnection.request, logging.getLogger("django").level
    with watching():
        pass
    after = Client.generic, http.client.HTTPConnection.request, logging.getLogger("django").level
    assert before == after
