"""The address of a channel: who is let in, what comes of it, and who is counted."""

import json
import logging

import pytest

from contacts.models import Contact, DecisionRecord, Message
from crm_project.testing.faults import lock_timeout
from sources import channel_views
from sources.channels import telegram
from sources.channels.protocol import Answer, Config, Incoming, Protocol, Secret
from sources.channels.registry import PROTOCOLS
from sources.models import Channel, Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

SECRET = "S3cret-of-the-bot-0123456789"
URL = "/sources/tg/webhook"


def channel(code, kind, secrets=None, **options):
    """A source of this kind with its channel, and somebody who answers."""
    source = AssignmentFactory(source=SourceFactory(code=code, kind=kind)).source
    made = Channel(source=source, options=options)
    made.secrets = secrets or {}
    made.save()
    return source


@pytest.fixture(autouse=True)
def source():
    source = channel("tg", "telegram", {"secret_token": SECRET}, reply_text="Спасибо!")
    Source.objects.filter(pk=source.pk).update(reuse_open_contact=True)
    return source


def update(number, text="Добрый день", user=42):
    """As https://core.telegram.org/bots/api#update has it."""
    person = {"id": user, "is_bot": False, "first_name": "Анна"}
    message = {
        "message_id": number,
        "from": person,
        "chat": {**person, "type": "private"},
        "date": 1_795_000_000,
        "text": text,
    }
    return {"update_id": number, "message": message}


@pytest.fixture
def send(client):
    def post(body, secret=SECRET, url=URL, **more):
        given = {telegram.HEADER: secret} | more.pop("headers", {})
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(url, body, content_type="application/json", headers=given, **more)

    return post


def code_of(answer):
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"]


def noted(caplog):
    (line,) = [each for each in caplog.records if each.getMessage() == "request"]
    return line.fields


def test_a_message_becomes_a_contact_and_the_next_one_is_added(send):
    first, second = send(update(1)), send(update(2, "Есть кто?"))
    assert (first.status_code, second.status_code) == (200, 200)
    assert (first.json()["method"], second.content) == ("sendMessage", b"")
    contact = Contact.objects.get()
    assert (contact.message, contact.operator is None) == ("Добрый день", False)
    assert list(Message.objects.values_list("text", flat=True)) == ["Есть кто?"]
    assert DecisionRecord.objects.get().actor_name == "tg"


def test_what_is_sent_again_is_answered_and_does_nothing(send):
    assert {send(update(1)).status_code for _ in range(3)} == {200}
    assert (Contact.objects.count(), Message.objects.count()) == (1, 0)


def test_no_key_and_no_session_is_needed_in_production_either(send, settings):
    settings.API_IS_OPEN = False
    assert send(update(1)).status_code == 200


def test_a_wrong_secret_is_refused_and_the_log_says_why(send, caplog):
    with caplog.at_level(logging.INFO, "crm_project.request_log"):
        assert code_of(send(update(1), "t" * 40)) == (403, "event_refused")
    fields = noted(caplog)
    assert (fields["source"], fields["kind"]) == ("tg", "telegram")
    assert "secret_token" in fields["reason"]
    assert not Contact.objects.exists()


def test_what_came_of_an_event_is_in_the_log(send, caplog):
    with caplog.at_level(logging.INFO, "crm_project.request_log"):
        send(update(1))
    assert noted(caplog)["created"] == 1


def test_what_is_not_for_us_is_answered_and_the_log_says_why(send, caplog):
    with caplog.at_level(logging.INFO, "crm_project.request_log"):
        assert send({"update_id": 7, "edited_message": {}}).status_code == 200
    assert "edited_message" in noted(caplog)["ignored"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'"\\ud800"'])
def test_what_is_malformed_is_refused(send, body):
    assert code_of(send(body)) == (400, "event_refused")


def test_texts_that_no_database_holds_are_taken_all_the_same(send):
    assert send(update(1, "a\0b\ud800")).status_code == 200
    assert Contact.objects.get().message == "ab"


def test_a_channel_that_is_not_set_up_refuses_everything(send):
    Channel.objects.all().delete()
    for secret in (SECRET, ""):
        assert code_of(send(update(1), secret)) == (403, "event_refused")
    assert not Contact.objects.exists()


def test_not_even_a_protocol_that_forgets_to_look_takes_what_cannot_be_proven(send, monkeypatch):
    events = (Incoming(None, "telegram:1"),)
    careless = Protocol(
        (Secret("one"), Secret("two")), (), lambda *given: Answer(incoming=events), telegram.sample
    )
    monkeypatch.setattr(channel_views, "PROTOCOLS", {"telegram": careless})
    kept = Channel.objects.get()
    for secrets in ({"one": "1"}, {"one": "1", "two": ""}):
        kept.secrets = secrets
        kept.save()
        assert send(update(1)).status_code == 403
    kept.secrets = {"one": "1", "two": "2"}
    kept.save()
    assert send(update(1)).status_code == 200


def test_secrets_kept_under_another_key_refuse_everything_and_are_an_error_in_the_log(
    send, settings, caplog
):
    settings.SECRET_KEY = "another" * 10
    assert code_of(send(update(1))) == (403, "event_refused")
    (error,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert error.fields == {"source": "tg"}


@pytest.mark.parametrize("code", ["nobody", "site", "x" * 300, "a%00b", "а"])
def test_where_nothing_is_spoken_there_is_nothing(send, code):
    SourceFactory(code="site", kind="api")
    assert code_of(send(update(1), url=f"/sources/{code}/webhook")) == (404, "not_found")


def test_a_source_that_is_off_takes_no_new_contact(send, source):
    Source.objects.filter(pk=source.pk).update(is_active=False)
    assert code_of(send(update(1))) == (409, "source_inactive")


def test_other_methods_are_a_405_and_options_are_told(client):
    assert code_of(client.put(URL)) == (405, "method_not_allowed")
    answer = client.options(URL)
    assert (answer.status_code, answer["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")


def test_a_busy_database_makes_the_channel_send_again(send, monkeypatch):
    def receive(*args, **how):
        raise lock_timeout()

    monkeypatch.setattr(channel_views, "receive", receive)
    answer = send(update(1))
    assert (code_of(answer), answer["Retry-After"]) == ((503, "busy"), "1")


def test_of_a_delivery_that_failed_midway_nothing_is_doubled_when_it_comes_again(
    send, source, monkeypatch
):
    events = tuple(Incoming(str(number), f"telegram:{number}") for number in range(3))
    real, calls = channel_views.receive, iter([1, 2, None, 4, 5, 6])

    def once(*args, **how):
        if next(calls) is None:
            raise lock_timeout()
        return real(*args, **how)

    several = Protocol((), (), lambda request, config: Answer(incoming=events), telegram.sample)
    monkeypatch.setattr(channel_views, "PROTOCOLS", {"telegram": several})
    monkeypatch.setattr(channel_views, "receive", once)
    assert [send(b"").status_code, send(b"").status_code] == [503, 200]
    assert Contact.objects.count() == 3


def test_what_a_channel_is_proven_to_send_is_never_too_much(send, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = settings.REQUESTS_PER_MINUTE_KEY = 2
    assert [send(update(1), "wrong").status_code for _ in range(4)] == [403, 403, 429, 429]
    answers = [send(update(number)) for number in range(1, 6)]
    assert {each.status_code for each in answers} == {200}
    assert "Retry-After" in send(update(1), "wrong")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.post("/sources/nobody/webhook"),
        lambda client: client.put(URL),
        lambda client: client.post(URL + "/"),
    ],
)
def test_whoever_knocks_without_a_secret_is_counted(client, settings, ask):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 2
    assert [ask(client).status_code for _ in range(3)][1:] != [429, 429]
    assert ask(client).status_code == 429
    # As for all else that comes from there.
    assert client.get("/docs").status_code == 429


def test_a_channel_without_secrets_is_counted_before_all_else(client, settings, monkeypatch):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 2
    channel("form", "widget")
    plain = Protocol(
        (),
        (),
        lambda request, config: Answer(incoming=(Incoming(None, "form:1"),)),
        telegram.sample,
    )
    monkeypatch.setattr(channel_views, "PROTOCOLS", {"widget": plain})
    statuses = [client.post("/sources/form/webhook").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert Contact.objects.count() == 2


def test_the_sample_of_each_channel_is_taken(client):
    for kind, spoken in PROTOCOLS.items():
        source = channel(f"s-{kind}", kind, {each.name: SECRET for each in spoken.secrets})
        secrets = source.channel.secrets
        sample = spoken.sample(Config(secrets, source.channel.options))
        answer = client.generic(
            sample.method,
            f"/sources/{source.code}/webhook",
            sample.body,
            sample.content_type,
            headers={k: v for k, v in sample.headers.items() if k != "content-type"},
            query_params=sample.query,
        )
        assert answer.status_code == 200, (kind, answer.content)
        assert Contact.objects.filter(source=source).count() == 1
