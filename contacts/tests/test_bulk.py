"""`POST /contacts/bulk`: as if one by one, in few statements."""

import random
from collections import Counter

import pytest

from contacts import bulk
from contacts.models import OPEN, Contact, DecisionRecord
from contacts.services import SourceInactive
from crm_project.testing.queries import capture_sql
from leads.models import Lead
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

ONE = {"lead_external_id": "tg:1", "source_code": "tg"}
STRATEGIES = ["weighted_random", "least_loaded", "smooth_weighted"]


@pytest.fixture
def send(api):
    """Post these contacts; their results."""

    def post(*contacts):
        response = api.post("/contacts/bulk", {"contacts": contacts})
        assert response.status_code == 200, response.content
        return response.json()["results"]

    return post


def serve(source, *, weight=1, limit=10, **operator):
    new = OperatorFactory(max_active_contacts=limit, **operator)
    return AssignmentFactory(source=source, weight=weight, operator=new).operator


def world(name, **rules):
    """Two sources that share operators; the same again but for the name in front of each code."""
    first, second = (SourceFactory(code=f"{name}-{number}", **rules) for number in (1, 2))
    for weight, limit in [(1, 4), (3, 20), (2, 9)]:
        shared = serve(first, weight=weight, limit=limit, name=f"{weight} of both")
        AssignmentFactory(source=second, operator=shared, weight=4 - weight)
    serve(second, weight=2, limit=5, name="of the second")
    serve(second, name="away", is_active=False)


def messages(name, count=60):
    return [
        {
            "lead_external_id": f"{name}:{number % 17}",
            "source_code": f"{name}-{1 + number % 3 // 2}",
            "message": str(number),
            "lead_phone": str(number) if number % 2 else None,
        }
        for number in range(count)
    ]


def outcomes():
    """Of every decision in order, all but ids and moments."""
    seen = []
    for each in DecisionRecord.objects.select_related("contact__lead").order_by("pk"):
        rows = [*each.candidates, *each.skipped]
        told = [{key: row[key] for key in row if key != "operator_id"} for row in rows]
        lead = each.contact.lead
        number = lead.external_id.partition(":")[2]
        about = (number, lead.phone, each.contact.message, each.contact.source.code[-1])
        seen.append((each.operator_name, each.kind, each.strategy, told, each.draw, *about))
    return seen


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("sticky", [False, True])
def test_everybody_gets_what_he_would_get_one_by_one(api, send, strategy, sticky):
    made = []
    for name in ("single", "bulk"):
        world(name, strategy=strategy, sticky=sticky)
        random.seed(7)
        if name == "bulk":
            send(*messages(name)[:9])
            send(*messages(name)[9:])
        else:
            for body in messages(name):
                assert api.post("/contacts", body).status_code == 201
        made.append(outcomes())
        Contact.objects.all().delete()
    one_by_one, in_bulk = made
    assert in_bulk == one_by_one
    assert len(in_bulk) == 60
    assert {operator for operator, *_ in in_bulk} == {
        "",  # so the limits were reached
        "1 of both",
        "2 of both",
        "3 of both",
        "of the second",
    }


def test_a_result_has_all_that_the_answer_to_one_has(api, send):
    serve(SourceFactory(code="tg"))
    single = api.post("/contacts", ONE).json()
    (result,) = send(ONE)
    assert list(result) == ["index", "contact"]
    assert list(result["contact"]) == list(single)
    assert result["contact"]["lead"] == single["lead"]
    assert result["contact"]["distribution"]["candidates"][0]["current_load"] == 1


def test_the_results_are_in_the_order_of_the_items(send):
    serve(SourceFactory(code="tg"), limit=3)
    results = send(*({**ONE, "message": str(number)} for number in range(8)))
    assert [each["index"] for each in results] == list(range(8))
    assert [each["contact"]["message"] for each in results] == [str(each) for each in range(8)]
    ids = [each["contact"]["id"] for each in results]
    assert ids == sorted(ids)
    outcome = [each["contact"]["distribution"]["outcome"] for each in results]
    assert outcome == ["assigned"] * 3 + ["waiting"] * 5
    queue = Contact.objects.filter(operator=None).order_by("waiting_since", "pk")
    assert list(queue.values_list("pk", flat=True)) == ids[3:]


def test_those_who_waited_before_go_first(api, send):
    source = SourceFactory(code="tg")
    (waiting,) = send(ONE)
    assert waiting["contact"]["waiting_cause"] == "no_operators"
    operator = serve(source, limit=1)
    results = send(ONE, ONE)
    assert [each["contact"]["operator_id"] for each in results] == [None, None]
    assert {each["contact"]["waiting_cause"] for each in results} == {"all_full"}
    assert Contact.objects.get(operator=operator).pk == waiting["contact"]["id"]


@pytest.mark.parametrize(
    ("item", "code", "attr"),
    [
        (None, "null", None),
        (5, "invalid", None),
        (True, "invalid", None),
        ("text", "invalid", None),
        ([], "invalid", None),
        ([ONE], "invalid", None),
        ({**ONE, "source_code": "none"}, "does_not_exist", "source_code"),
        ({**ONE, "source_code": "a\x00"}, "null_characters_not_allowed", "source_code"),
        ({**ONE, "source_code": []}, "invalid", "source_code"),
        ({**ONE, "source_code": "off"}, "source_inactive", None),
        ({**ONE, "source_id": 10**9}, "invalid", "source_id"),
        ({**ONE, "source_code": None, "source_id": 10**9}, "does_not_exist", "source_id"),
        ({**ONE, "source_code": None, "source_id": 10**30}, "max_value", "source_id"),
        ({**ONE, "source_code": None, "source_id": True}, "invalid", "source_id"),
        ({**ONE, "source_code": None, "source_id": {}}, "invalid", "source_id"),
        ({**ONE, "source_code": None}, "required", "source_code"),
        ({**ONE, "lead_external_id": " "}, "blank", "lead_external_id"),
        ({**ONE, "message": "\x00"}, "null_characters_not_allowed", "message"),
    ],
)
def test_an_invalid_item_is_told_and_does_not_stop_the_others(send, item, code, attr):
    serve(SourceFactory(code="tg"))
    SourceFactory(code="off", is_active=False)
    before, wrong, after = send(ONE, item, ONE)
    assert list(wrong) == ["index", "errors"]
    (error,) = wrong["errors"]
    assert (wrong["index"], error["code"], error["attr"]) == (1, code, attr)
    assert isinstance(error["detail"], str)
    assert before["contact"]["id"] < after["contact"]["id"]
    assert Contact.objects.count() == 2


def test_a_lone_surrogate_is_told_too(api):
    text = r'{"contacts": [{"lead_external_id": "\ud800", "source_code": "\ud800"}]}'
    response = api.generic("POST", "/contacts/bulk", text, "application/json")
    (result,) = response.json()["results"]
    assert {error["attr"] for error in result["errors"]} == {"lead_external_id", "source_code"}


def test_the_errors_of_an_item_are_those_it_would_have_alone(api, send):
    items = [{}, {"lead_external_id": 5, "message": 5}, {**ONE, "source_code": "?"}, 5, []]
    for item, result in zip(items, send(*items), strict=True):
        alone = api.post("/contacts", item).json()["errors"]
        assert result["errors"] == alone


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"contacts": None}, "null"),
        ({"contacts": []}, "min_length"),
        ({"contacts": [ONE] * 1001}, "max_length"),
        ({"contacts": "text"}, "not_a_list"),
        ({"contacts": {"0": ONE}}, "not_a_list"),
        ({"contacts": 5}, "not_a_list"),
    ],
)
def test_what_is_no_list_of_1_to_1000_is_named(api, body, code):
    SourceFactory(code="tg")
    response = api.post("/contacts/bulk", body)
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"], error["attr"]) == (400, code, "contacts")
    assert not Contact.objects.exists()


@pytest.mark.parametrize("body", [None, [], [ONE], "text", 5])
def test_a_body_that_is_no_object_is_refused(api, body):
    assert api.post("/contacts/bulk", body).status_code == 400


def test_a_source_may_be_named_by_code_and_by_id(send):
    source = SourceFactory(code="tg")
    serve(source)
    by_id = {"lead_external_id": "a", "source_id": source.pk}
    results = send(ONE, by_id, {**by_id, "source_id": float(source.pk)}, {**by_id, **ONE})
    assert {each["contact"]["source_code"] for each in results} == {"tg"}


def test_one_lead_in_many_items_is_one_lead_with_what_they_tell_first(send):
    serve(SourceFactory(code="tg"))
    results = send(ONE, {**ONE, "lead_name": "Мария"}, {**ONE, "lead_name": "Анна"})
    lead = Lead.objects.get()
    assert (lead.name, {each["contact"]["lead_id"] for each in results}) == ("Мария", {lead.pk})


def test_a_source_switched_off_between_reading_and_creating_is_a_conflict(api, monkeypatch):
    serve(SourceFactory(code="tg"))

    def switched_off(*args, **how):
        raise SourceInactive

    monkeypatch.setattr(bulk, "create_contacts", switched_off)
    response = api.post("/contacts/bulk", {"contacts": [ONE, None]})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "source_inactive")


def test_where_all_are_invalid_there_is_no_transaction(send):
    results = []
    statements = capture_sql(lambda: results.extend(send(None, {}, {**ONE, "source_code": "x"})))
    assert all("errors" in each for each in results)
    assert len(statements) == 1  # which sources there are


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_thousand_exceed_no_limit(send, strategy):
    source = SourceFactory(code="tg", strategy=strategy)
    limits = {serve(source, weight=n, limit=40 * n).pk: 40 * n for n in (1, 2, 3, 4)}
    results = send(*({**ONE, "lead_external_id": f"tg:{number}"} for number in range(1000)))
    assert len(results) == 1000
    open_ones = Contact.objects.filter(OPEN).exclude(operator=None)
    assert Counter(open_ones.values_list("operator", flat=True)) == limits
    assert Contact.objects.filter(operator=None).count() == 600


@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize("waiting", [False, True])
def test_ten_and_a_thousand_take_nearly_the_same_statements(send, sticky, waiting):
    sources = [SourceFactory(code=f"tg-{number}", sticky=sticky) for number in range(5)]
    for source in sources:
        serve(source, limit=1 if waiting else 1000)
    counts = []
    for count in (10, 1000):
        body = [
            {"lead_external_id": f"{count}:{number}", "source_code": f"tg-{number % 5}"}
            for number in range(count)
        ]
        statements = capture_sql(lambda body=body: send(*body))
        # SQLite takes a limited number of rows in one INSERT, and "1000 times: INSERT" as one.
        inserts = sum("INSERT" in each or each.startswith("COPY") for each in statements)
        counts.append((len(statements) - inserts, inserts))
    (few, _), (many, inserts) = counts
    assert many <= few + 2
    assert inserts <= 6


def test_a_thousand_unknown_sources_are_looked_up_at_once(send):
    items = [{**ONE, "source_code": f"tg-{number}"} for number in range(500)]
    items += [{"lead_external_id": "a", "source_id": 10**6 + number} for number in range(500)]
    assert len(capture_sql(lambda: send(*items))) == 1


def test_a_bulk_may_have_8_mib_and_one_contact_1_mib(api):
    serve(SourceFactory(code="tg"))
    long = {**ONE, "message": "a" * 1024 * 1024}
    assert api.post("/contacts", long).status_code == 413
    result = api.post("/contacts/bulk", {"contacts": [long, ONE]}).json()["results"]
    assert [list(each)[1] for each in result] == ["errors", "contact"]
    assert api.post("/contacts/bulk/", {"contacts": [long] * 7}).status_code == 200
    refused = api.post("/contacts/bulk", {"contacts": [long] * 8})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (413, "body_too_large")
