"""Operators are told of their contacts by Telegram and by e-mail."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.errors import HeaderParseError
from ipaddress import ip_network

import pytest
from django.core import mail
from django.core.management import call_command

from contacts.conversations import receive
from contacts.events import delivering
from contacts.events.models import Delivery, Subscription
from contacts.events.notice_settings import change_notice, create_notice
from contacts.events.tests.receiver import receiving
from contacts.models import Contact
from contacts.services import Inquiry, change_status, create_contact, reassign_contact
from contacts.tests.scenes import arrive, serve
from crm_project.audit.services import changes_of
from crm_project.encryption import decrypt
from crm_project.errors import Conflict
from leads.services import Profile
from operators.models import Operator
from operators.tests.people import make_lead, make_operator
from sources.channels.protocol import Incoming
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
TOKEN = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
OTHER = TOKEN.replace("123456", "654321")
LIST = "/admin/events/operatornotice/"
MAIL = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def source():
    return SourceFactory(name="Сайт")


@pytest.fixture
def bot(settings):
    """The Bot API, standing in on loopback; notices by Telegram are switched on."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with receiving() as receiver:
        settings.TELEGRAM_API_URL = f"http://127.0.0.1:{receiver.server_port}"
        make("telegram", token=TOKEN)
        yield receiver


@pytest.fixture
def by_email(settings):
    settings.EMAIL_BACKEND = MAIL
    make("email")


def by(kind):
    return Subscription.objects.get(kind=kind)


def make(kind, **how):
    create_notice(Subscription(kind=kind), **how)


def told(operator, **where):
    Operator.objects.filter(pk=operator.pk).update(**where)
    return operator


def deliver():
    call_command("deliver_events", once=True, verbosity=0)


def sent(receiver):
    return [(path, json.loads(body)) for path, _headers, body in receiver.got]


def states():
    return [(each.state, each.last_error) for each in Delivery.objects.order_by("pk")]


def test_nothing_is_kept_or_sent_before_it_is_switched_on(source):
    told(serve(source), email="anna@firm.example", telegram_chat_id=42)
    arrive(source, "a")
    assert not Delivery.objects.exists()


def test_a_bot_writes_to_the_operator_whose_contact_it_is(bot, source, settings):
    settings.PUBLIC_URL = "https://crm.example.com"
    told(serve(source), telegram_chat_id=42)
    profile = Profile(name="Мария", phone="+7 900 000-01-02")
    contact, _ = create_contact(Inquiry(source, "a", "Есть ли доставка?", profile))
    deliver()
    [(path, message)] = sent(bot)
    assert path == f"/bot{TOKEN}/sendMessage"
    assert message["chat_id"] == 42
    assert message["text"].splitlines() == [
        f"Новое обращение № {contact.pk}: Мария",
        "Источник: Сайт",
        "+7 900 000-01-02",
        "",
        "Есть ли доставка?",
        "",
        f"https://crm.example.com/admin/contacts/contact/{contact.pk}/change/",
    ]


def test_whoever_gets_it_by_a_reassign_is_told_and_whoever_had_it_is_not(bot, source):
    first = told(serve(source), telegram_chat_id=1)
    contact, _ = arrive(source, "a")
    second = told(serve(source), telegram_chat_id=2)
    reassign_contact(contact.pk, operator_id=second.pk)
    deliver()
    [(_path, message)] = sent(bot)
    assert message["chat_id"] == 2
    assert "передано вам" in message["text"]
    assert first.pk != second.pk
    assert [state for state, _error in states()] == ["delivered", "delivered"]


def test_what_a_lead_writes_further_is_told_too(bot, source):
    source.reuse_open_contact = True
    told(serve(source), telegram_chat_id=1)
    for number, text in enumerate(["Здравствуйте", "Вы тут?"]):
        receive(source, Incoming(str(number), "telegram:5", text, name="Мария"))
    deliver()
    [_first, (_path, message)] = sent(bot)
    contact = Contact.objects.get()
    assert message["text"].startswith(f"Новое сообщение в обращении № {contact.pk}: Мария\n")
    assert message["text"].endswith("\n\nВы тут?")


def test_of_what_is_closed_by_then_nothing_is_said(bot, source):
    told(serve(source), telegram_chat_id=1)
    contact, _ = arrive(source, "a")
    change_status(contact.pk, status=Contact.Status.CLOSED)
    deliver()
    assert sent(bot) == []


def test_who_has_stopped_the_bot_holds_up_nobody(bot, source):
    bot.answers[:] = [403]
    told(serve(source), telegram_chat_id=1)
    arrive(source, "a")
    arrive(source, "b")
    deliver()
    assert states() == [("dead", "recipient"), ("delivered", "")]
    assert by("telegram").failures == 0


def test_an_operator_without_a_chat_or_an_address_is_not_written_to(bot, by_email, source):
    serve(source)
    arrive(source, "a")
    deliver()
    assert (sent(bot), mail.outbox) == ([], [])


def test_an_email_has_it_all_and_no_second_line_in_its_subject(by_email, source):
    told(serve(source), email="anna@firm.example")
    profile = Profile(name="Мария\nBcc: x@y.example")
    contact, _ = create_contact(Inquiry(source, "a", profile=profile))
    deliver()
    [message] = mail.outbox
    assert message.to == ["anna@firm.example"]
    assert message.subject == f"Новое обращение № {contact.pk}: Мария Bcc: x@y.example"
    assert "Источник: Сайт" in message.body


def test_an_address_that_nobody_can_write_to_ends_nothing(by_email, source, monkeypatch):
    def refuse(message):
        # As of "\x0cb:c"@a.com, which Django's validator takes and Python's writer does not.
        raise HeaderParseError

    told(serve(source), email="anna@firm.example")
    arrive(source, "a")
    monkeypatch.setattr(mail.EmailMessage, "send", refuse)
    deliver()
    assert states() == [("dead", "recipient")]


def prepared_badly(delivery):
    raise KeyError


def sent_badly(delivery):
    return lambda: {}["nothing"]


@pytest.mark.parametrize("broken", [prepared_badly, sent_badly])
def test_a_fault_of_ours_is_told_and_tried_again(by_email, source, monkeypatch, caplog, broken):
    told(serve(source), email="anna@firm.example")
    arrive(source, "a")
    with monkeypatch.context() as patch:
        patch.setitem(delivering.PREPARED, "email", broken)
        deliver()
    assert states() == [("pending", "ours")]
    assert "a fault of ours" in caplog.text
    Subscription.objects.update(next_attempt_at=None)
    deliver()
    assert len(mail.outbox) == 1


def test_an_attempt_that_takes_longer_than_the_lease_is_alone(by_email, source, monkeypatch):
    told(serve(source), email="anna@firm.example")
    arrive(source, "a")
    begun = []

    def slow(delivery):
        def send():
            begun.append(delivery.pk)
            time.sleep(1.5)
            return delivering.Answer(250)

        return send

    monkeypatch.setitem(delivering.PREPARED, "email", slow)
    monkeypatch.setattr(delivering, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(delivering.Turn, "may_go_on", lambda turn: turn.sent < 1)
    deliver()
    assert len(begun) == 1


def test_who_was_held_up_for_longer_than_the_lease_sends_nothing_twice(
    by_email, source, monkeypatch
):
    told(serve(source), email="anna@firm.example")
    arrive(source, "a")
    answered = threading.Event()
    monkeypatch.setitem(delivering.PREPARED, "email", lambda delivery: lambda: answered.wait(10))
    monkeypatch.setattr(delivering, "LEASE", timedelta(0))
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0)
    monkeypatch.setattr(delivering.Turn, "may_go_on", lambda turn: True)
    courier = delivering.Courier(stopped=threading.Event())
    with ThreadPoolExecutor() as pool:
        courier._look(pool)
        courier._look(pool)
        answered.set()
    assert courier.sent == 1


def test_a_mail_server_that_is_away_is_tried_again(by_email, source, settings):
    told(serve(source), email="anna@firm.example")
    arrive(source, "a")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    deliver()
    assert states() == [("pending", "unreachable")]
    settings.EMAIL_BACKEND = MAIL
    Subscription.objects.update(next_attempt_at=None)
    deliver()
    assert [state for state, _error in states()] == ["delivered"]
    assert len(mail.outbox) == 1


class TestTheBackOffice:
    @pytest.fixture
    def office(self, client):
        client.force_login(make_lead())
        return client

    def test_a_token_is_kept_encrypted_and_never_shown(self, office):
        made = office.post(f"{LIST}add/", {"kind": "telegram", "is_active": "on", "token": TOKEN})
        assert made.status_code == 302
        notice = by("telegram")
        assert notice.is_active
        assert decrypt(notice.secret) == TOKEN
        page = f"{LIST}{notice.pk}/change/"
        for path in (LIST, page, f"{LIST}{notice.pk}/history/", "/admin/audit/change/"):
            shown = office.get(path)
            assert shown.status_code == 200
            assert TOKEN not in shown.content.decode()
        page = office.get(page).content.decode()
        assert f"••••{TOKEN[-4:]}" in page
        assert "в порядке" in page
        assert "healthy" not in page

    def test_another_token_takes_its_place_and_none_leaves_it(self, office):
        make("telegram", token=TOKEN)
        page = f"{LIST}{by('telegram').pk}/change/"
        shown = {"initial-is_active": "True", "initial-source": ""}
        assert office.post(page, {"is_active": "on", **shown}).status_code == 302
        assert decrypt(by("telegram").secret) == TOKEN
        assert office.post(page, {"is_active": "on", "token": OTHER, **shown}).status_code == 302
        assert decrypt(by("telegram").secret) == OTHER

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"kind": "telegram"}, "@BotFather"),
            ({"kind": "telegram", "token": "12345"}, "не похоже на токен"),
            ({"kind": "email"}, "CRM_EMAIL_URL"),
        ],
    )
    def test_it_is_not_switched_on_before_it_is_set_up(self, office, settings, given, said):
        settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
        answer = office.post(f"{LIST}add/", {"is_active": "on", **given})
        assert answer.status_code == 200
        told = str(answer.context["errors"])
        assert said in told
        assert not Subscription.objects.exists()

    def test_it_can_be_taken_away(self, office):
        make("telegram", token=TOKEN)
        page = f"{LIST}{by('telegram').pk}/delete/"
        assert office.post(page, {"post": "yes"}).status_code == 302
        assert not Subscription.objects.exists()

    def test_who_answers_contacts_does_not_set_it_up(self, client):
        client.force_login(make_operator().user)
        assert client.get(LIST).status_code == 403

    def test_it_is_no_webhook(self, office, api):
        make("telegram", token=TOKEN)
        page = office.get("/admin/events/subscription/")
        assert page.context["cl"].result_count == 0
        assert api.get("/webhooks").json()["count"] == 0


def test_a_change_of_somebody_else_is_not_undone():
    make("telegram", token=TOKEN)
    notice = by("telegram")
    with pytest.raises(Conflict):
        change_notice(notice, {"is_active": True}, expected={"is_active": False})
    assert changes_of(notice).count() == 1


def test_of_one_source_alone(source, bot):
    told(serve(source), telegram_chat_id=1)
    other = SourceFactory()
    told(serve(other), telegram_chat_id=2)
    change_notice(by("telegram"), {"source": source})
    arrive(source, "a")
    arrive(other, "b")
    deliver()
    assert [message["chat_id"] for _path, message in sent(bot)] == [1]
