"""The command asks the service itself, over a socket of loopback."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command

from contacts.models import Contact
from crm_project.testing.ports import free_port
from sources.channels.registry import PROTOCOLS
from sources.management.commands import channel_check
from sources.models import Channel
from sources.tests.channels.asking import SECRETS
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db(transaction=True)


# Without these nothing could arrive.
NEEDED = {"vk": {"confirmation": "693d0ba9"}, "widget": {"allowed_origins": ["https://shop.ru"]}}


def make_source(kind="telegram", *, secrets=None, options=None, **fields):
    source = SourceFactory(kind=kind, code="shop", **fields)
    channel = Channel(source=source, options=options or NEEDED.get(kind, {}))
    channel.secrets = SECRETS.get(kind, {}) if secrets is None else secrets
    channel.save()
    return source


def check(url, *arguments, code="shop"):
    """What it says."""
    out = StringIO()
    call_command("channel_check", code, "--url", url, *arguments, stdout=out)
    return out.getvalue()


def complaint(url, **named):
    with pytest.raises(CommandError) as caught:
        check(url, **named)
    return str(caught.value)


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_it_says_who_got_the_contact_and_closes_it_again(kind, live_server):
    assignment = AssignmentFactory(source=make_source(kind), operator__name="Анна")
    said = check(live_server.url)
    contact = Contact.objects.get()
    assert f"Sent a test event to {live_server.url}/sources/shop/webhook." in said
    assert "Answered 200" in said
    assert f"It made contact № {contact.pk}, with Анна." in said
    assert f"Contact № {contact.pk} was closed again." in said
    assert (contact.operator, contact.status) == (assignment.operator, "closed")


def test_a_contact_that_found_nobody_waits(live_server):
    make_source()
    assert "waiting for an operator" in check(live_server.url + "/")


def test_a_second_event_is_a_further_message_of_what_is_kept_open(live_server):
    make_source(reuse_open_contact=True)
    said = check(live_server.url, "--keep")
    contact = Contact.objects.get()
    assert f"Contact № {contact.pk} stays open" in said
    said = check(live_server.url)
    assert f"A further message: it was added to contact № {contact.pk}, which is open" in said
    contact.refresh_from_db()
    assert contact.status == "closed"
    # And a third begins anew.
    assert "It made contact" in check(live_server.url)
    assert Contact.objects.count() == 2


def test_the_answer_is_shown(live_server):
    make_source(options={"reply_text": "Thank you"})
    assert '"text": "Thank you"' in check(live_server.url)


def test_a_code_that_is_not_there_is_named():
    assert "no source with the code lost" in complaint("http://127.0.0.1", code="lost")


def test_a_source_of_the_api_has_no_channel():
    make_source("api")
    assert "POST /contacts" in complaint("http://127.0.0.1")


def test_an_inactive_source_is_not_asked():
    make_source(is_active=False)
    assert "inactive" in complaint("http://127.0.0.1")


def test_what_is_not_set_is_named():
    make_source("whatsapp", secrets={"verify_token": "a"})
    assert "set its app_secret" in complaint("http://127.0.0.1")


def test_secrets_of_another_key_are_told(settings):
    make_source()
    settings.SECRET_KEY = "x" * 50
    assert "another SECRET_KEY" in complaint("http://127.0.0.1")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:8000", "http://", "file:///etc"])
def test_an_address_of_another_kind_is_refused(url):
    make_source()
    assert "--url must be" in complaint(url)


def test_a_service_that_does_not_run_is_told():
    make_source()
    assert "Is the service running?" in complaint(f"http://127.0.0.1:{free_port()}")


@contextmanager
def answering(status, **headers):
    """A server that answers everything so; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, "Does the service use another one?"),
        (301, "use --url with that address"),
        (400, "does not know the host"),
        (401, "no secret"),
        (403, "another secret"),
        (404, "no such source"),
        (409, "active"),
        (418, "refused"),
        (429, "in a minute"),
        (500, "see its log"),
    ],
)
def test_another_answer_is_explained(status, told):
    make_source()
    with answering(status, Location="https://crm.example.com/") as url:
        assert told in complaint(url)


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("", "", "http://127.0.0.1:8000"),
        ("127.0.0.2", "8080", "http://127.0.0.2:8080"),
        ("::1", "8080", "http://[::1]:8080"),
        ("0.0.0.0", "8080", "http://127.0.0.1:8080"),  # noqa: S104
        ("::", "", "http://127.0.0.1:8000"),
    ],
)
def test_without_an_address_it_asks_the_service_on_this_machine(host, port, address, monkeypatch):
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("PORT", port)
    parser = channel_check.Command().create_parser("manage.py", "channel_check")
    assert parser.parse_args(["shop"]).url == address
