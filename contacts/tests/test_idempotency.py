"""`Idempotency-Key`: one request is answered once, however often it is sent."""

import json
import urllib.request
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from contacts import idempotency
from contacts.idempotency import fingerprint
from contacts.models import Contact, IdempotencyKey
from crm_project.testing.faults import lock_timeout
from crm_project.testing.queries import capture_sql
from crm_project.testing.service import Service
from leads.models import Lead
from sources.models import Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

ONE = {"lead_external_id": "tg:1", "source_code": "tg"}
MANY = {"contacts": [ONE, {**ONE, "source_code": "none"}, ONE]}


@pytest.fixture(autouse=True)
def source():
    return AssignmentFactory(source=SourceFactory(code="tg")).source


@pytest.fixture
def send(api):
    """Post with a key; the answer."""

    def post(body, key="k-1", path="/contacts", **headers):
        return api.post(path, body, headers={"idempotency-key": key} | headers)

    return post


def code_of(response):
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], error["attr"]


def age(**by):
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(**by))


@pytest.mark.parametrize(
    ("path", "body", "status", "made"),
    [("/contacts", ONE, 201, 1), ("/contacts/bulk", MANY, 200, 2)],
)
def test_the_same_again_gets_the_first_answer_and_creates_nothing(send, path, body, status, made):
    first, second = send(body, path=path), send(body, path=path)
    assert (first.status_code, second.status_code) == (status, status)
    assert (first.content, first["Content-Type"]) == (second.content, second["Content-Type"])
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Contact.objects.count() == made


def test_a_keyed_answer_is_as_one_without_a_key(send, api):
    plain, keyed = api.post("/contacts", ONE), send(ONE)
    assert set(keyed.json()) == set(plain.json())
    assert dict(keyed.headers).keys() == dict(plain.headers).keys()
    assert keyed["Content-Type"] == plain["Content-Type"]


def test_the_first_answer_stands_whatever_has_become_of_its_source(send, source):
    first = send(ONE, **{"accept-language": "en"})
    Source.objects.filter(pk=source.pk).update(is_active=False, code="gone")
    assert send(ONE, **{"accept-language": "ru"}).content == first.content


def test_another_body_is_refused_and_the_first_answer_kept(send):
    first = send(ONE)
    for other in [{**ONE, "message": "?"}, {}, [], None, MANY]:
        assert code_of(send(other)) == (422, "idempotency_key_reused", None)
    assert send(ONE).content == first.content
    assert Contact.objects.count() == 1


def test_the_body_is_compared_as_json(send, api, source):
    texts = [
        '{"lead_external_id": "ё", "source_id": %d}',
        '{ "source_id" :%d.0,\n"lead_external_id":"\\u0451"}',
    ]
    first, second = (
        api.generic(
            "POST",
            "/contacts",
            text % source.pk,
            "application/json",
            headers={"idempotency-key": "k"},
        )
        for text in texts
    )
    assert (first.status_code, first.content) == (201, second.content)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1.5}, {"a": 1}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": None}, {}),
        ({"a": 2**60 + 1}, {"a": float(2**60)}),
        ({"a": "\ud800"}, {"a": "?"}),
        ({}, []),
    ],
)
def test_what_differs_as_json_has_another_fingerprint(one, other):
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "k" * 256, "ключ", "\x00", "a\x00b", "\x7f", "é", "a\tb", "k\n"]
)
@pytest.mark.parametrize("path", ["/contacts", "/contacts/bulk"])
def test_a_malformed_key_is_named(api, key, path):
    response = api.post(path, ONE, HTTP_IDEMPOTENCY_KEY=key)
    assert code_of(response) == (400, "invalid", "Idempotency-Key")
    assert not Contact.objects.exists()


@pytest.mark.parametrize("key", ["!", "~" * 255, '"quoted,;=\\"', "';--"])
def test_every_visible_character_may_be_in_a_key(send, key):
    assert send(ONE, key).status_code == 201
    assert send(ONE, key)["Idempotency-Replayed"] == "true"


def test_keys_that_differ_in_case_are_two(send):
    assert send(ONE, "k").json()["id"] != send(ONE, "K").json()["id"]


def test_a_key_is_of_one_endpoint(send):
    assert send(ONE).status_code == 201
    assert send(MANY, path="/contacts/bulk").status_code == 200
    again = send(ONE, path="/contacts/")
    assert again["Idempotency-Replayed"] == "true"


def test_a_key_is_of_one_sender(send, api):
    ids = {send(ONE).json()["id"]}
    for name in ("anna", "boris"):
        api.force_login(get_user_model().objects.create_superuser(name))
        ids.add(send(ONE).json()["id"])
        assert send(ONE)["Idempotency-Replayed"] == "true"
    assert len(ids) == 3


@pytest.mark.parametrize(
    "wrong", [{**ONE, "message": 5}, {**ONE, "source_code": "none"}, {}, [], None, "text"]
)
def test_an_error_is_not_kept(send, wrong):
    assert send(wrong).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert send(ONE).status_code == 201


def test_what_the_state_forbade_is_done_later_with_the_same_key(send, source):
    Source.objects.update(is_active=False)
    assert code_of(send(ONE)) == (409, "source_inactive", None)
    Source.objects.update(is_active=True)
    assert send(ONE).status_code == 201


def test_an_error_on_the_way_undoes_the_work_and_the_key(api, send, monkeypatch):
    api.raise_request_exception = False

    def fail(*args):
        raise lock_timeout()

    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "_prune", fail)
        assert code_of(send(ONE)) == (503, "busy", None)
    assert not Lead.objects.exists()
    assert not Contact.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert send(ONE).status_code == 201


@pytest.mark.parametrize("depth", [50, 200, 300, 450, 600, 900, 2000, 100_000])
@pytest.mark.parametrize("path", ["/contacts", "/contacts/bulk"])
def test_no_depth_of_the_body_is_a_crash(api, path, depth):
    nested = '{"contacts": [%s], "message": %s}' % (("[" * depth + "]" * depth,) * 2)
    response = api.generic(
        "POST", path, nested, "application/json", headers={"idempotency-key": "k"}
    )
    assert response.status_code in (200, 400)


def test_a_body_that_can_be_read_but_not_written_is_refused(send, monkeypatch):
    """Reading and writing JSON do not reach equally deep in every Python."""

    def too_deep(body):
        raise RecursionError

    monkeypatch.setattr(idempotency, "fingerprint", too_deep)
    assert code_of(send(ONE)) == (400, "parse_error", None)


@pytest.mark.parametrize("hours", [24, 48])
def test_a_key_is_kept_for_the_hours_of_the_setting(send, settings, hours):
    settings.IDEMPOTENCY_HOURS = hours
    first = send(ONE)
    age(hours=hours, minutes=-1)
    assert send(ONE).content == first.content
    age(hours=hours, minutes=1)
    assert send(ONE).json()["id"] != first.json()["id"]


def test_an_expired_key_counts_as_absent_whatever_its_body_was(send):
    send(ONE)
    age(hours=25)
    second = send({**ONE, "message": "новое"})
    assert (second.status_code, IdempotencyKey.objects.count()) == (201, 1)
    assert send({**ONE, "message": "новое"}).content == second.content


def test_a_new_key_takes_ten_expired_ones_away_and_no_other(send):
    fresh = [send(ONE, f"fresh-{number}").status_code for number in range(3)]
    old = IdempotencyKey.objects.bulk_create(
        IdempotencyKey(
            credential="anonymous",
            endpoint="POST /contacts",
            key=f"old-{number}",
            status=201,
            created_at=timezone.now() - timedelta(days=2 + number),
        )
        for number in range(15)
    )
    send(ONE, "fresh-0")
    assert IdempotencyKey.objects.count() == len(fresh) + len(old)
    send(ONE, "new")
    left = IdempotencyKey.objects.filter(key__startswith="old").values_list("key", flat=True)
    assert sorted(left) == [f"old-{number}" for number in range(5)]
    send(ONE, "newer")
    assert IdempotencyKey.objects.count() == len(fresh) + 2


def test_without_the_header_no_query_concerns_keys(api):
    statements = capture_sql(
        lambda: (
            api.post("/contacts", ONE),
            api.post("/contacts/bulk", MANY),
            api.get("/contacts", headers={"idempotency-key": ""}),
        )
    )
    assert statements
    assert not any("idempotency" in statement for statement in statements)


def test_a_second_answer_takes_four_queries(send, django_assert_num_queries):
    send(ONE)
    with django_assert_num_queries(4):  # the bounds of the transaction are two of them
        send(ONE)


def test_the_header_and_its_answers_are_documented(api):
    paths = api.get("/openapi.json").json()["paths"]
    for path, status in [("/contacts", "201"), ("/contacts/bulk", "200")]:
        operation = paths[path]["post"]
        names = [each["name"] for each in operation["parameters"] if each["in"] == "header"]
        assert names == ["Idempotency-Key"]
        assert "422" in operation["responses"]
        assert "Idempotency-Replayed" in operation["responses"][status]["headers"]
    assert "Idempotency" not in json.dumps(paths["/operators"])


def test_a_key_outlives_the_service(tmp_path):
    service = Service(f"sqlite:///{tmp_path}/db.sqlite3")

    def post(path, body):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        url, content = f"{service.url}{path}", json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, content, headers)) as answer:
            return answer.read(), answer.headers["Idempotency-Replayed"]

    service.migrate()
    service.start()
    post("/sources", {"name": "Телеграм", "code": "tg"})
    first, replayed = post("/contacts", ONE)
    service.kill()
    service.start()
    again = post("/contacts", ONE)
    service.kill()
    assert (replayed, again) == (None, (first, "true"))
