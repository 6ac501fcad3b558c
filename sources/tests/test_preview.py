"""Who would get the next contact: the same computation as the real decision."""

import pytest

from contacts.models import Contact, DecisionRecord, Rotation
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from crm_project.testing.queries import capture_sql
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def preview(api, source, query=""):
    return api.get(f"/sources/{source.pk}/preview{query}").json()


def test_a_draw_is_shown_with_the_chances_and_who_is_passed_over(api):
    source = SourceFactory()
    serve(source, weight=3), serve(source, weight=1), serve(source, is_active=False)
    shown = preview(api, source)
    assert (shown["outcome"], shown["operator_id"], shown["strategy"]) == (
        "assigned",
        None,
        "weighted_random",
    )
    assert [each["share"] for each in shown["candidates"]] == [0.75, 0.25]
    assert [each["reason"] for each in shown["skipped"]] == ["inactive"]


@pytest.mark.parametrize("strategy", ["weighted_random", "least_loaded", "smooth_weighted"])
def test_the_next_contact_is_decided_just_so(api, strategy):
    source = SourceFactory(strategy=strategy)
    for weight in (5, 3, 1):
        serve(source, weight=weight)
    for number in range(12):
        shown = preview(api, source)
        contact, decision = arrive(source, f"lead:{number}")
        assert [each["share"] for each in shown["candidates"]] == decision.shares()
        assert [each["current_load"] for each in shown["candidates"]] == [
            each.load for each in decision.candidates
        ]
        if strategy != "weighted_random":
            assert shown["operator_id"] == contact.operator_id


def test_a_sticky_source_tells_whom_a_lead_would_go_to(api):
    source, lead = SourceFactory(sticky=True), LeadFactory(external_id="tg:1")
    serve(source)
    known = serve(source)
    ContactFactory(lead=lead, operator=known, status="closed")
    assert preview(api, source)["operator_id"] is None
    shown = preview(api, source, "?lead_external_id=tg:1")
    assert (shown["operator_id"], shown["strategy"]) == (known.pk, "sticky")
    assert preview(api, source, "?lead_external_id=tg:2")["strategy"] == "weighted_random"


def test_nobody_would_get_it(api):
    source = SourceFactory()
    assert preview(api, source)["outcome"] == "waiting"
    serve(source, is_active=False)
    assert preview(api, source)["outcome"] == "waiting"


def test_it_would_come_after_those_who_wait(api):
    source = SourceFactory()
    serve(source)
    ContactFactory(source=source)
    assert preview(api, source)["outcome"] == "waiting"


def test_an_inactive_source_would_refuse_it(api):
    source = SourceFactory(is_active=False)
    serve(source)
    shown = preview(api, source)
    assert (shown["outcome"], shown["candidates"]) == ("refused", [])


def test_it_writes_and_locks_nothing(api):
    source = SourceFactory(strategy="smooth_weighted")
    serve(source), serve(source)
    statements = capture_sql(lambda: preview(api, source))
    assert all(each.startswith("SELECT") and "FOR NO KEY" not in each for each in statements)
    for model in (Contact, DecisionRecord, Rotation):
        assert not model.objects.exists()


def test_a_lead_that_can_be_none_is_refused_in_words(api):
    answer = api.get(f"/sources/{SourceFactory().pk}/preview?lead_external_id=%00")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "lead_external_id")


def test_a_source_that_does_not_exist_is_not_found(api):
    assert api.get("/sources/1000000/preview").status_code == 404
