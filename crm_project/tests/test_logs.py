"""What log lines tell, and what they never do."""

import json
import logging
import logging.config
import re
from io import StringIO

import psycopg
import pytest
from django.conf import settings as project
from django.core.exceptions import DisallowedHost
from django.db import IntegrityError, connection
from django.test import Client

from access.tests.keys import make_key
from contacts.tests.factories import ContactFactory
from crm_project.logs import JsonFormatter, PlainFormatter, configuration, note, serving
from crm_project.repeating import Repeating
from operators.tests.people import make_operator
from sources.tests.factories import AssignmentFactory, SourceFactory
from stats import views

pytestmark = pytest.mark.django_db
PHONE = "+7 900 123-45-67"


@pytest.fixture
def lines():
    """The log as production writes it."""
    stream, handler = StringIO(), None
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def of_requests(lines):
    return lambda: [each for each in lines() if each["message"] == "request"]


def tells_phone(line):
    """Whether the phone is in it. Any three of its digits may be in a request's id by chance."""
    return re.search(r"900.{0,3}123.{0,3}45", json.dumps(line))


def as_json(logger, level, message, *args, error=None):
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, level, "", 1, message, args, exc_info)
    return json.loads(JsonFormatter().format(record))


def raised(raise_it):
    try:
        raise_it()
    except Exception as error:
        return error
    raise AssertionError


def test_a_request_is_one_line(client, of_requests):
    contact = ContactFactory()
    client.get(f"/contacts/{contact.pk}", headers={"x-request-id": "r-1"})
    (line,) = of_requests()
    assert line.pop("duration_ms") >= line.pop("database_ms") > 0
    assert line.pop("time").endswith("+00:00")
    assert line.pop("bytes") > 100
    assert line.pop("queries") >= 1
    assert line == {
        "level": "INFO",
        "logger": "crm_project.request_log",
        "message": "request",
        "request_id": "r-1",
        "method": "GET",
        "route": "contacts/<int:pk>",
        "ids": {"pk": contact.pk},
        "status": 200,
    }


@pytest.mark.parametrize(
    ("path", "route", "ids"),
    [
        ("/", "/", None),
        (f"/contacts?search={PHONE}", "contacts", None),
        ("/contacts/79001234567", "contacts/<int:pk>", None),
        (f"/admin/leads/lead/{PHONE}/change/", "admin/leads/lead/<path:object_id>/change/", None),
        (
            "/assignments/1/2",
            "assignments/<int:operator_id>/<int:source_id>",
            {"operator_id": 1, "source_id": 2},
        ),
        (f"/{PHONE}", "other", None),
        (f"/admin/{PHONE}/", "admin/(?P<url>.*)$", None),
    ],
)
def test_the_path_is_told_by_its_pattern_and_ids(client, of_requests, path, route, ids):
    client.get(path)
    (line,) = of_requests()
    assert (line["route"], line.get("ids")) == (route, ids)
    assert not tells_phone(line)


def test_what_is_refused_before_its_view_has_its_route_too(client, of_requests):
    client.post("/contacts", headers={"content-length": str(2**21)})
    assert [(each["route"], each["status"]) for each in of_requests()] == [("contacts", 413)]


def test_a_method_is_one_that_is_known(client, of_requests):
    client.generic("SECRET", "/contacts")
    assert of_requests()[0]["method"] == "other"


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/static/a.css"])
def test_probes_and_static_files_are_of_no_interest(client, of_requests, caplog, path):
    logging.getLogger("crm_project").setLevel(logging.INFO)
    client.get(path)
    assert of_requests() == []
    logging.getLogger("crm_project").setLevel(logging.DEBUG)
    client.get(path)
    assert [each["level"] for each in of_requests()] == ["DEBUG"]


def test_who_asked_is_told_by_id(client, of_requests):
    user = make_operator("Анна Щукина").user
    client.force_login(user)
    client.get("/admin/my/")
    (line,) = of_requests()
    assert line["user"] == user.pk
    assert "user of" not in json.dumps(line)


def test_nobody_is_looked_up_for_the_log(client, admin_user, of_requests):
    client.force_login(admin_user)
    client.get("/health/ready")
    logging.getLogger("crm_project").setLevel(logging.DEBUG)
    client.get("/health")
    assert (of_requests()[-1]["queries"], "user" in of_requests()[-1]) == (0, False)


def test_a_key_is_told_by_its_prefix(client, of_requests):
    key, text = make_key("read")
    client.get("/operators", headers={"authorization": f"Bearer {text}"})
    assert of_requests()[0]["key"] == key.prefix


def test_a_contact_tells_its_source_and_what_became_of_it(client, of_requests):
    source = SourceFactory(code="tg", auto_assign_waiting=False)
    body = {"lead_external_id": "client:1", "source_code": "tg", "lead_phone": PHONE}
    send = {"content_type": "application/json"}
    pk = client.post("/contacts", body, **send).json()["id"]
    AssignmentFactory(source=source)
    client.post("/contacts", body, **send, headers={"idempotency-key": "key-1234"})
    client.post("/contacts", body, **send, headers={"idempotency-key": "key-1234"})
    client.post("/contacts/bulk", {"contacts": [body, body, {}]}, **send)
    client.post(f"/contacts/{pk}/reassign", {}, **send)
    client.post(f"/contacts/{pk}/reassign", {}, **send)
    client.patch(f"/contacts/{pk}/status", {"status": "closed"}, **send)
    told = ["source", "outcome", "replayed", "assigned", "waiting", "invalid"]
    assert [{name: each[name] for name in told if name in each} for each in of_requests()] == [
        {"source": "tg", "outcome": "waiting"},
        {"source": "tg", "outcome": "assigned"},
        {"replayed": True},
        {"assigned": 2, "waiting": 0, "invalid": 1},
        {"source": "tg", "outcome": "reassigned"},
        {"source": "tg", "outcome": "kept"},
        {"source": "tg", "outcome": "closed"},
    ]


def test_a_file_is_told_of_when_it_has_been_sent(admin_client, of_requests):
    ContactFactory.create_batch(3)
    response = admin_client.get("/admin/contacts/contact/export/csv/")
    assert of_requests() == []
    parts = iter(response)
    next(parts)
    sent = len(next(parts))
    assert serving.get() is None
    response.close()
    (line,) = of_requests()
    assert (line["whole"], line["request_id"]) == (False, response["X-Request-ID"])
    assert line["bytes"] > sent


def test_a_file_that_was_sent_whole_says_so(admin_client, of_requests):
    ContactFactory.create_batch(3)
    response = admin_client.get("/admin/contacts/contact/export/csv/")
    size = len(b"".join(response))
    response.close()
    (line,) = of_requests()
    assert (line["whole"], line["bytes"]) == (True, size)
    assert line["queries"] > 4


def test_each_line_meanwhile_has_the_id_and_none_afterwards(client, lines, monkeypatch):
    def told():
        logging.getLogger("contacts").info("meanwhile")
        return {}

    monkeypatch.setattr(views, "overview", told)
    client.get("/stats", headers={"x-request-id": "r-1"})
    logging.getLogger("contacts").info("afterwards")
    assert [(each["message"], each.get("request_id")) for each in lines()] == [
        ("meanwhile", "r-1"),
        ("request", "r-1"),
        ("afterwards", None),
    ]


def test_outside_of_a_request_there_is_nothing_to_add_to(lines):
    note(source="tg")
    logging.getLogger("contacts").info("a tick")
    assert "source" not in lines()[0]


def test_the_clock_has_no_request(lines):
    def work():
        logging.getLogger("contacts").info("from the clock")
        clock._stopped.set()

    clock = Repeating(work, seconds=60)
    clock.start()
    clock.join(10)
    assert [each.get("request_id") for each in lines()] == [None]


class TestErrors:
    def test_of_an_exception_only_the_type_and_the_place_are_told(self, lines, monkeypatch):
        def fail():
            raise ValueError(PHONE)

        monkeypatch.setattr(views, "overview", fail)
        Client(raise_request_exception=False).get("/stats")
        failed, request = lines()
        assert (failed["level"], failed["message"]) == ("ERROR", "the request failed")
        assert failed["request_id"] == request["request_id"]
        (exception,) = failed["exceptions"]
        assert exception["type"] == "builtins.ValueError"
        assert exception["frames"][-1].startswith("crm_project/tests/test_logs.py:")
        assert exception["frames"][-1].endswith(" fail")
        assert not tells_phone(failed)

    @pytest.mark.postgres
    def test_a_database_error_tells_its_code_and_not_its_detail(self):
        first = SourceFactory(code="tg-secret")
        error = raised(lambda: SourceFactory(code=first.code))
        assert isinstance(error, IntegrityError)
        assert "tg-secret" in str(error)
        line = as_json("contacts", logging.ERROR, "it failed", error=error)
        assert [each.get("sqlstate") for each in line["exceptions"]] == [None, "23505"]
        assert "tg-secret" not in json.dumps(line)

    def test_what_it_came_from_is_told_too(self):
        def fail():
            try:
                raise psycopg.errors.UniqueViolation(PHONE)
            except psycopg.Error as error:
                raise IntegrityError(PHONE) from error

        line = as_json("contacts", logging.ERROR, "it failed", error=raised(fail))
        assert [(each["type"], each.get("sqlstate")) for each in line["exceptions"]] == [
            ("django.db.utils.IntegrityError", None),
            ("psycopg.errors.UniqueViolation", "23505"),
        ]
        assert not tells_phone(line)

    def test_a_recursion_without_end_is_not_told_whole(self):
        def again():
            again()

        line = as_json("contacts", logging.ERROR, "it failed", error=raised(again))
        assert len(line["exceptions"][0]["frames"]) == 30

    def test_a_foreign_host_is_not_quoted(self, client, lines):
        client.get("/operators", headers={"host": "secret.example"})
        assert [each["message"] for each in lines()] == ["request"]
        assert "secret" not in json.dumps(lines())

    def test_a_forged_form_is_not_quoted(self, lines):
        Client(enforce_csrf_checks=True).post(
            f"/admin/login/?next={PHONE}", headers={"origin": "https://secret.example"}
        )
        (forbidden, request) = lines()
        assert (forbidden["logger"], forbidden["message"]) == (
            "django.security.csrf",
            "Forbidden (?)",
        )
        assert (request["route"], request["status"]) == ("admin/login/", 403)

    def test_django_does_not_tell_again_what_was_not_found(self, client, lines):
        client.get(f"/{PHONE}")
        assert [each["message"] for each in lines()] == ["request"]


@pytest.mark.parametrize(
    ("logger", "message", "args", "told"),
    [
        ("contacts", "it is %s", (PHONE,), "it is ?"),
        ("contacts", "%d of %s", (3, PHONE), "3 of ?"),
        ("contacts", "%d", (PHONE,), "%d"),
        ("contacts", "%(a)s", ({"a": PHONE},), "%(a)s"),
        ("contacts", ValueError(PHONE), (), "ValueError"),
        (
            "psycopg",
            "error ignored in rollback on %s: %s",
            ("a", PHONE),
            "error ignored in rollback on ?",
        ),
        (
            "gunicorn.error",
            "Worker (pid:%s) was sent %s!",
            (7, "SIGKILL"),
            "Worker (pid:7) was sent ?!",
        ),
        (
            "gunicorn.error",
            f"Invalid request from ip=192.0.2.1: {PHONE}",
            (),
            "Invalid request from ip",
        ),
        (
            "gunicorn.error",
            "Error handling request %s",
            (f"/?q={PHONE}",),
            "Error handling request ?",
        ),
        ("django.security.DisallowedHost", f"Invalid header: {PHONE}", (), "DisallowedHost"),
    ],
)
def test_of_what_is_put_into_a_message_only_numbers_are_told(logger, message, args, told):
    assert as_json(logger, logging.WARNING, message, *args)["message"] == told


def test_a_line_is_ascii_and_one():
    record = logging.LogRecord("contacts", logging.INFO, "", 1, "a\nя\ud800", (), None)
    assert JsonFormatter().format(record).isascii()
    assert len(JsonFormatter().format(record).splitlines()) == 1


def test_in_development_a_line_is_for_the_eye():
    record = logging.LogRecord("contacts", logging.INFO, "", 1, "tick of %s", ("a",), None)
    record.fields = {"handed": 3}
    assert PlainFormatter().format(record).endswith(" INFO contacts: tick of a handed=3")


class TestConfiguration:
    @pytest.fixture
    def configured(self):
        """Let a configuration hold for a test."""
        yield lambda **how: logging.config.dictConfig(
            configuration(**{"production": True, "level": "INFO", "stream": "stderr"} | how)
        )
        logging.config.dictConfig(project.LOGGING)

    @pytest.mark.parametrize("level", ["DEBUG", "INFO"])
    def test_statements_and_their_parameters_are_never_told(self, configured, level):
        configured(level=level)
        assert not logging.getLogger("django.db.backends").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("django.db.backends.schema").isEnabledFor(logging.INFO)

    def test_django_mails_nothing_and_tells_nothing_twice(self, configured):
        configured()
        assert logging.getLogger("django").handlers == []
        assert len(logging.getLogger().handlers) >= 1

    def test_production_writes_json_and_development_does_not(self, configured):
        for production, kind in [(True, JsonFormatter), (False, PlainFormatter)]:
            configured(production=production)
            formatters = [each.formatter for each in logging.getLogger("gunicorn.error").handlers]
            assert [type(each) for each in formatters] == [kind]

    def test_the_service_writes_to_stdout(self, configured, capsys):
        handler = configuration(production=True, level="INFO", stream="stdout")["handlers"]
        assert handler["console"]["stream"] == "ext://sys.stdout"
        # What a command prints is not mixed with lines.
        assert project.LOGGING["handlers"]["console"]["stream"] == "ext://sys.stderr"


def test_a_suspicious_request_has_frames_but_no_text():
    error = raised(lambda: (_ for _ in ()).throw(DisallowedHost(PHONE)))
    line = as_json("django.security.DisallowedHost", logging.ERROR, PHONE, error=error)
    assert not tells_phone(line)


def test_time_in_the_database_is_part_of_the_whole(client, of_requests, monkeypatch):
    def slow():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.execute("SELECT 2")
        return {}

    monkeypatch.setattr(views, "overview", slow)
    client.get("/stats")
    (line,) = of_requests()
    assert line["queries"] == 2
