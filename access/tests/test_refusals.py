"""What who is refused is told, and that OpenAPI tells the same."""

import pytest

from access.tests.keys import bearer, make_key
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_production(settings):
    settings.API_IS_OPEN = False


def errors_of(answer):
    return answer.json()["errors"]


def refused(client, method="get", path="/operators", text=None, **sent):
    """Its status, code and detail in English."""
    sent |= bearer(text) if text else {}
    answer = getattr(client, method)(path, **sent, HTTP_ACCEPT_LANGUAGE="en")
    (error,) = errors_of(answer)
    return answer.status_code, error["code"], error["detail"]


def test_who_shows_no_credential_is_told_which_there_are(client):
    status, code, detail = refused(client)
    assert (status, code) == (401, "not_authenticated")
    assert "Authorization: Bearer" in detail
    assert "back office" in detail


@pytest.mark.parametrize(
    ("scope", "words"),
    [("read", "This key may only read."), ("intake", "only create contacts in its sources.")],
)
def test_a_key_is_told_what_alone_it_may(client, scope, words):
    _, text = make_key(scope, *([SourceFactory()] if scope == "intake" else []))
    status, code, detail = refused(client, "post", text=text)
    assert (status, code) == (403, "permission_denied")
    assert words in detail


def test_a_foreign_host_is_told_of_the_setting_and_not_repeated(client):
    status, code, detail = refused(client, HTTP_HOST="secret.example")
    assert (status, code) == (400, "bad_request")
    assert "CRM_ALLOWED_HOSTS" in detail
    assert "secret" not in detail


def schema_of(client):
    return client.get("/openapi.json").json()


def examples_of(operation, status):
    content = operation["responses"][status]["content"]["application/json"]
    return [each["value"] for each in content["examples"].values()]


def test_openapi_shows_what_is_answered(client):
    operation = schema_of(client)["paths"]["/contacts"]["post"]
    source = SourceFactory(code="other")
    intake = bearer(make_key("intake", SourceFactory())[1])
    manage = bearer(make_key("manage")[1])
    body = {"lead_external_id": "x", "source_code": source.code}
    nowhere = body | {"source_code": "nowhere"}
    kind = "application/json"
    answers = [
        client.post("/contacts", body, kind),
        client.post("/contacts", body, kind, **bearer("wrong")),
        client.post("/contacts", body, kind, **intake),
        client.post("/contacts", nowhere, kind, **manage),
        client.put("/contacts", body, kind, **manage),
        client.post("/contacts", "text", "text/plain", **manage),
    ]
    client.post("/contacts", body, kind, **manage, HTTP_IDEMPOTENCY_KEY="k")
    answers.append(client.post("/contacts", nowhere, kind, **manage, HTTP_IDEMPOTENCY_KEY="k"))
    statuses = [answer.status_code for answer in answers]
    assert statuses == [401, 401, 403, 400, 405, 415, 422]
    for answer in answers:
        assert answer.json() in examples_of(operation, str(answer.status_code))


def test_openapi_tells_of_our_limit_in_our_words(client):
    operation = schema_of(client)["paths"]["/contacts"]["get"]
    [example] = examples_of(operation, "429")
    assert example["errors"][0]["detail"] == "Слишком много запросов. Попробуйте через 60 секунд."


def test_openapi_describes_every_error(client):
    schema = schema_of(client)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                assert response["description"] or status < "400", (path, method, status)
    schemes = schema["components"]["securitySchemes"].values()
    assert all(each["description"] for each in schemes)
