"""How often one may ask: who is counted, what is told, and who pays for nobody else."""

from types import SimpleNamespace

import pytest
import time_machine
from django.http import HttpResponse
from django.test import RequestFactory

from contacts.models import Contact
from crm_project.throttling import ThrottleMiddleware
from operators.tests.people import make_lead
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
COUNTED_HEADERS = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]


@pytest.fixture(autouse=True)
def clock(settings):
    """It stands still; so few requests are enough."""
    settings.REQUESTS_PER_MINUTE_KEY, settings.REQUESTS_PER_MINUTE_ADDRESS = 5, 3
    with time_machine.travel("2026-11-26 12:00:00Z", tick=False) as clock:
        yield clock


def statuses(client, times, path="/docs", **extra):
    return [client.get(path, **extra).status_code for _ in range(times)]


def with_key(key, **extra):
    """The status of a request that the key's middleware let in."""
    request = RequestFactory().get("/operators", **extra)
    request.api_key, request.user = key, SimpleNamespace(is_authenticated=False)
    return ThrottleMiddleware(lambda request: HttpResponse())(request).status_code


def test_every_answer_tells_how_many_are_left(client, clock):
    answer = client.get("/operators")
    assert [answer[name] for name in COUNTED_HEADERS] == ["3", "2", "60"]
    clock.shift(20)
    answer = client.get("/nowhere")
    assert (answer.status_code, answer["RateLimit-Remaining"]) == (404, "1")
    assert answer["RateLimit-Reset"] == "40"


@pytest.mark.parametrize(
    ("language", "words"), [("ru", "Слишком много запросов"), ("en", "Too many requests")]
)
def test_too_many_are_a_429_in_the_shape_of_all_errors(client, language, words):
    statuses(client, 3)
    answer = client.get("/operators", headers={"accept-language": language})
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert (answer["RateLimit-Limit"], answer["RateLimit-Remaining"]) == ("3", "0")
    assert answer.json()["type"] == "client_error"
    (error,) = answer.json()["errors"]
    assert (error["code"], error["attr"]) == ("throttled", None)
    assert words in error["detail"]
    assert "60" in error["detail"]


def test_nothing_is_done_for_one_too_many(client, django_assert_num_queries):
    SourceFactory(code="tg")
    statuses(client, 3)
    body = {"lead_external_id": "lead:1", "source_code": "tg"}
    with django_assert_num_queries(0):
        answer = client.post("/contacts", body, content_type="application/json")
    assert answer.status_code == 429
    assert not Contact.objects.exists()


def test_who_waits_as_long_as_told_is_answered_again(client, clock):
    statuses(client, 3)
    clock.shift(int(client.get("/operators")["Retry-After"]) + 0.1)
    assert client.get("/operators").status_code == 200


def test_each_address_is_counted_by_itself(client):
    assert statuses(client, 4) == [200, 200, 200, 429]
    assert statuses(client, 1, REMOTE_ADDR="192.0.2.7") == [200]


def test_who_makes_up_addresses_gains_nothing(client, settings):
    settings.PROXIES = 1
    made_up = [
        client.get("/docs", headers={"x-forwarded-for": f"198.51.100.{each}, 203.0.113.9"})
        for each in range(4)
    ]
    assert [each.status_code for each in made_up] == [200, 200, 200, 429]
    # Nor anybody else loses by it.
    assert statuses(client, 1, headers={"x-forwarded-for": "198.51.100.1"}) == [200]


def test_who_is_signed_in_is_counted_by_themselves_wherever_they_are(client):
    statuses(client, 4)
    client.force_login(make_lead())
    assert statuses(client, 3) == [200] * 3
    assert statuses(client, 3, REMOTE_ADDR="192.0.2.7") == [200, 200, 429]
    client.logout()
    assert statuses(client, 1) == [429]


def test_a_key_is_counted_by_itself_and_no_other_slows_it(client):
    good, other = SimpleNamespace(pk=1), SimpleNamespace(pk=2)
    statuses(client, 4)
    assert [with_key(good) for _ in range(6)] == [200] * 5 + [429]
    assert with_key(good, REMOTE_ADDR="192.0.2.7") == 429
    assert with_key(other) == 200
    # One that is not good is none, and costs its address.
    assert with_key(None) == 429


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/favicon.ico", "/static/none.css"])
def test_what_browsers_and_probes_ask_by_themselves_is_free(client, path):
    statuses(client, 3)
    answer = client.get(path)
    assert answer.status_code != 429
    assert "RateLimit-Limit" not in answer


def test_no_limit_is_none(client, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 0
    answers = [client.get("/operators") for _ in range(9)]
    assert {each.status_code for each in answers} == {200}
    assert "RateLimit-Limit" not in answers[0]


def test_counting_asks_the_database_nothing_about_who_sends_no_cookie(
    client, django_assert_num_queries
):
    with django_assert_num_queries(0):
        assert client.get("/nowhere").status_code == 404


def test_where_nothing_can_be_counted_everything_is_answered(client, settings, tmp_path, caplog):
    (tmp_path / "file").touch()
    settings.COUNTERS_FILE = tmp_path / "file" / "counters.sqlite3"
    assert statuses(client, 9) == [200] * 9
    assert [each.name for each in caplog.records].count("crm_project.counters") == 1


@pytest.mark.parametrize(
    ("language", "words"), [("ru", "Попробовать ещё раз"), ("en", "Too many requests")]
)
def test_a_page_for_people_says_it_readably(client, language, words):
    statuses(client, 3, "/admin/login/")
    answer = client.get("/admin/", headers={"accept-language": language})
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert answer["Content-Type"].startswith("text/html")
    assert words in answer.content.decode()


def test_the_first_page_says_it_to_people_readably_and_to_programs_as_ever(client):
    statuses(client, 3)
    page = client.get("/", headers={"accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert client.get("/").json()["type"] == "client_error"


def test_openapi_tells_of_it_for_every_operation(client, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 0
    schema = client.get("/openapi.json").json()
    operations = [each for methods in schema["paths"].values() for each in methods.values()]
    for operation in operations:
        headers = operation["responses"]["429"]["headers"]
        assert set(headers) >= {*COUNTED_HEADERS, "Retry-After"}
        counted = [headers[name]["schema"] for name in COUNTED_HEADERS]
        assert counted == [{"type": "integer"}] * 3
        assert "Retry-After" in operation["responses"]["503"]["headers"]
    answered = schema["paths"]["/stats"]["get"]["responses"]["200"]
    assert set(answered["headers"]) >= set(COUNTED_HEADERS)
