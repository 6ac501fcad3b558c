"""What people and programs are told of a decision: why, who else, and why somebody waits."""

import json
import re

import pytest
from django.db import connection
from django.utils import translation

from contacts.distribution import STRATEGIES
from contacts.invariants import check_all
from contacts.models import DecisionRecord
from contacts.services import Inquiry, create_contact, reassign_contact
from contacts.staffing import change_operator
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from contacts.waiting import Cause
from contacts.wording import cause_in_words, explain
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def told(source, language, external_id="lead:1"):
    contact, decision = create_contact(Inquiry(source, external_id), draw=lambda: 0.0)
    with translation.override(language):
        return explain(contact, decision)


@pytest.mark.parametrize(
    ("strategy", "russian", "english"),
    [
        (
            "weighted_random",
            "Получает Анна: выбор по жребию с вероятностью 75,0 % (вес 3 из 4),"
            " свободных операторов: 2.",
            "Assigned to Анна: drawn with a chance of 75.0 % (weight 3 of 4), available: 2.",
        ),
        (
            "least_loaded",
            "Получает Анна: наименьшая загрузка (занято 0 из 10), свободных операторов: 2.",
            "Assigned to Анна: the least loaded (0 of 10), available: 2.",
        ),
        (
            "smooth_weighted",
            "Получает Анна: подошла очередь (вес 3 из 4), свободных операторов: 2.",
            "Assigned to Анна, whose turn it was (weight 3 of 4), available: 2.",
        ),
    ],
)
def test_each_strategy_has_a_sentence_in_both_languages(strategy, russian, english):
    for language, sentence in (("ru", russian), ("en", english)):
        source = SourceFactory(strategy=strategy)
        serve(source, weight=3, name="Анна")
        serve(source, weight=1)
        assert told(source, language) == sentence


def test_a_sticky_one_and_an_only_one_are_told_as_such():
    source = SourceFactory(sticky=True)
    serve(source, name="Анна")
    assert told(source, "en") == "Assigned to Анна: the only one available."
    assert told(source, "en") == "Assigned to Анна, who had the lead's latest contact."


def test_a_strategy_without_words_is_told_by_the_name_of_who_got_it(monkeypatch):
    monkeypatch.setitem(STRATEGIES, "first", lambda team: team[0])
    source = SourceFactory(strategy="first")
    serve(source, name="Анна"), serve(source)
    assert told(source, "en") == "Assigned to Анна."


def test_a_contact_that_finds_nobody_is_told_who_was_passed_over_and_why():
    source = SourceFactory()
    assert "nobody is assigned" in told(source, "en")
    serve(source, name="Анна", is_active=False)
    full = serve(source, name="Борис", max_active_contacts=1)
    ContactFactory(operator=full)
    assert told(source, "en") == (
        "Nobody is available, the contact waits (Анна is inactive; Борис has 1 of 1)."
    )


def test_the_history_is_shown_oldest_first(api):
    source = SourceFactory()
    first, second = serve(source, name="Анна"), serve(source, name="Борис")
    contact, _ = arrive(source, draw=lambda: 0.0)
    api.post(f"/contacts/{contact.pk}/reassign")
    created, reassigned = api.get(f"/contacts/{contact.pk}/history").json()["results"]
    assert (created["kind"], reassigned["kind"]) == ("create", "reassign")
    assert (created["actor"]["type"], reassigned["actor"]["type"]) == ("system", "anonymous")
    assert set(created) >= {"id", "strategy", "draw", "created_at"}
    assert [each["share"] for each in created["candidates"]] == [0.5, 0.5]
    assert reassigned["previous_operator_id"] == first.pk
    assert (reassigned["operator_id"], reassigned["operator_name"]) == (second.pk, "Борис")
    assert [each["reason"] for each in reassigned["skipped"]] == ["excluded"]


def test_records_that_hold_objects_are_read_as_those_that_hold_lists(api):
    source = SourceFactory()
    for limit in (1, 2):
        serve(source, max_active_contacts=limit)
    *_, last = (arrive(source)[0] for _ in range(4))
    told = api.get(f"/contacts/{last.pk}/history").json()
    assert [each["reason"] for each in told["results"][0]["skipped"]] == ["full", "full"]
    for each in DecisionRecord.objects.all():
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE contacts_decisionrecord SET candidates = %s, skipped = %s WHERE id = %s",
                [json.dumps(each.candidates), json.dumps(each.skipped), each.pk],
            )
    assert api.get(f"/contacts/{last.pk}/history").json() == told
    assert [each.breaches for each in check_all(records=10) if each.breaches] == []


def test_a_choice_by_a_person_has_no_strategy(api):
    contact, target = ContactFactory(), OperatorFactory()
    api.post(f"/contacts/{contact.pk}/reassign", {"operator_id": target.pk})
    (record,) = api.get(f"/contacts/{contact.pk}/history").json()["results"]
    assert (record["kind"], record["strategy"], record["candidates"]) == ("manual", None, [])


def test_the_history_of_no_contact_is_not_found(api):
    assert api.get("/contacts/1000000/history").status_code == 404


class TestWhyItWaits:
    @staticmethod
    def cause(api, source):
        contact = ContactFactory(source=source)
        shown = {each["id"]: each for each in api.get("/contacts?waiting=true").json()["results"]}
        return shown[contact.pk]["waiting_cause"]

    def test_nobody_is_assigned(self, api):
        assert self.cause(api, SourceFactory()) == "no_operators"

    def test_all_are_inactive(self, api):
        source = SourceFactory()
        serve(source, is_active=False)
        assert self.cause(api, source) == "all_inactive"

    def test_all_who_are_active_are_full(self, api):
        source = SourceFactory()
        serve(source, is_active=False)
        ContactFactory(operator=serve(source, max_active_contacts=1))
        assert self.cause(api, source) == "all_full"

    def test_handing_out_is_switched_off(self, api):
        source = SourceFactory(auto_assign_waiting=False)
        serve(source)
        assert self.cause(api, source) == "switched_off"

    def test_it_is_being_handed_out_at_this_moment(self, api):
        source = SourceFactory()
        serve(source)
        assert self.cause(api, source) == "in_turn"

    def test_who_has_an_operator_does_not_wait(self, api):
        contact = ContactFactory(operator=OperatorFactory())
        assert api.get(f"/contacts/{contact.pk}").json()["waiting_cause"] is None

    def test_it_is_told_as_things_are_now(self, api):
        source = SourceFactory()
        operator = serve(source, is_active=False)
        contact = ContactFactory(source=source)
        ContactFactory(operator=operator)
        change_operator(operator, {"max_active_contacts": 1})
        AssignmentFactory(source=SourceFactory(), operator=operator)
        assert api.get(f"/contacts/{contact.pk}").json()["waiting_cause"] == "all_inactive"
        reassign_contact(contact.pk, operator_id=OperatorFactory().pk)
        assert api.get(f"/contacts/{contact.pk}").json()["waiting_cause"] is None

    @pytest.mark.parametrize("sources", [1, 15])
    def test_the_list_takes_two_queries(self, api, sources, django_assert_num_queries):
        for _ in range(sources):
            ContactFactory.create_batch(2, source=SourceFactory())
        with django_assert_num_queries(2):
            api.get("/contacts?waiting=true")


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_of_waiting_is_told_in_words_and_in_russian(cause):
    words = cause_in_words(cause)
    assert words != cause
    assert re.search("[а-яё]", words)
