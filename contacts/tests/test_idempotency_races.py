"""One key on many threads at once, on PostgreSQL; with the control that shows the race."""

import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from contacts import idempotency, views
from contacts.models import Contact, IdempotencyKey
from contacts.services import SourceInactive
from crm_project.testing.threads import at_once, elsewhere, until_somebody_waits
from operators.models import Operator
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ONE = {"lead_external_id": "tg:1", "source_code": "tg"}
MANY = {"contacts": [ONE, {**ONE, "lead_external_id": "tg:2"}, ONE]}


@pytest.fixture(autouse=True)
def operator():
    assignment = AssignmentFactory(
        source=SourceFactory(code="tg"), operator__max_active_contacts=1000
    )
    return assignment.operator


def post(key="k", path="/contacts", body=ONE):
    return APIClient().post(path, body, headers={"idempotency-key": key})


def insist(*request, **named):
    """As who is told that the service is busy, which in a storm it may be, asks again."""
    while (answer := post(*request, **named)).status_code == 503:
        continue
    return answer


def firsts(answers):
    return [each for each in answers if "Idempotency-Replayed" not in each]


def expired(key, endpoint="POST /contacts"):
    old = timezone.now() - timedelta(days=3)
    of = {"credential": "anonymous", "endpoint": endpoint, "key": key}
    return IdempotencyKey.objects.create(**of, status=201, body="old", created_at=old)


@pytest.fixture
def hold(monkeypatch):
    """Let the first work stop, before it does anything, until another request waits for it;
    then `ends` says how.
    """
    outcome = {"ends": None}
    first = threading.Lock()
    create = views.create_contact

    def create_contact(*args, **how):
        if first.acquire(blocking=False):
            until_somebody_waits()
            if outcome["ends"]:
                raise outcome["ends"]
        return create(*args, **how)

    monkeypatch.setattr(views, "create_contact", create_contact)
    return outcome


@pytest.mark.parametrize(
    ("path", "body", "made"), [("/contacts", ONE, 1), ("/contacts/bulk", MANY, 3)]
)
def test_32_at_once_create_one_and_get_one_answer(path, body, made):
    answers, errors = at_once([lambda: insist(path=path, body=body)] * 64, 32)
    assert errors == []
    assert len({(each.status_code, each.content) for each in answers}) == 1
    assert len(firsts(answers)) == 1
    assert (Contact.objects.count(), IdempotencyKey.objects.count()) == (made, 1)


def test_the_second_waits_for_the_first(hold):
    answers, errors = at_once([post, post], 2)
    assert errors == []
    assert [each.status_code for each in answers] == [201, 201]
    assert (len(firsts(answers)), Contact.objects.count()) == (1, 1)


def test_the_second_is_told_to_come_back_where_the_first_takes_long():
    with transaction.atomic():
        first = post()
        second = elsewhere(post)
        assert (second.status_code, second["Retry-After"]) == (503, "1")
        assert second.json()["errors"][0]["code"] == "busy"
    replayed = post()
    assert (replayed.content, replayed["Idempotency-Replayed"]) == (first.content, "true")
    assert Contact.objects.count() == 1


def find_then_insert(mine, expired_before):
    """What one would write first: look whether the key is there, else insert it."""
    key = {"credential": mine.credential, "endpoint": mine.endpoint, "key": mine.key}
    row = IdempotencyKey.objects.filter(**key).first()
    both_have_looked.wait(timeout=10)
    if not row:
        IdempotencyKey.objects.bulk_create([mine], ignore_conflicts=True)
    return row or mine


both_have_looked = threading.Barrier(2)


def test_without_the_insert_that_comes_first_two_would_create(monkeypatch):
    # Guards the tests above: if this one fails, they prove nothing.
    monkeypatch.setattr(idempotency, "_claim", find_then_insert)
    answers, errors = at_once([post, post], 2)
    assert errors == []
    assert (len(firsts(answers)), Contact.objects.count()) == (2, 2)


def test_where_the_first_fails_the_second_that_waited_goes_ahead(hold):
    hold["ends"] = SourceInactive()
    answers, errors = at_once([post, post], 2)
    assert errors == []
    assert sorted(each.status_code for each in answers) == [201, 409]
    assert len(firsts(answers)) == 2
    assert (Contact.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
    assert post()["Idempotency-Replayed"] == "true"


def test_of_many_that_wait_for_one_that_fails_one_goes_ahead(hold):
    hold["ends"] = SourceInactive()
    answers, errors = at_once([insist] * 16, 16)
    assert errors == []
    assert sorted(each.status_code for each in answers) == [201] * 15 + [409]
    assert (len(firsts(answers)), Contact.objects.count()) == (2, 1)


def test_another_body_waits_too_and_is_refused(hold):
    other = {**ONE, "message": "?"}
    answers, errors = at_once([post, lambda: post(body=other)], 2)
    assert errors == []
    assert sorted(each.status_code for each in answers) == [201, 422]
    assert Contact.objects.count() == 1


def test_an_expired_key_is_replaced_by_one(monkeypatch):
    old = expired("k")
    answers, errors = at_once([insist] * 32, 16)
    assert errors == []
    assert len({each.content for each in answers}) == 1
    assert (len(firsts(answers)), Contact.objects.count()) == (1, 1)
    assert not IdempotencyKey.objects.filter(pk=old.pk).exists()


def test_expired_keys_are_used_again_while_others_prune_them():
    for number in range(20):
        expired(f"k-{number}")
    calls = [lambda n=number: insist(f"k-{n % 25}") for number in range(150)]
    answers, errors = at_once(calls, 16)
    assert errors == []
    assert {each.status_code for each in answers} == {201}
    assert (len(firsts(answers)), Contact.objects.count()) == (25, 25)
    assert IdempotencyKey.objects.count() == 25


def test_different_keys_do_not_wait_for_each_other_to_be_pruned(monkeypatch):
    for number in range(10):
        expired(f"k-{number}")
    both_prune = threading.Barrier(2)
    prune = idempotency._prune

    def meet(expired_before):
        prune(expired_before)
        both_prune.wait(timeout=10)  # neither has committed

    monkeypatch.setattr(idempotency, "_prune", meet)
    # No operator: nothing else that two creations share is locked.
    Operator.objects.all().delete()
    other = SourceFactory(code="vk").code
    bodies = [ONE, {"lead_external_id": "vk:1", "source_code": other}]
    calls = [
        lambda b=body, n=number: post(f"new-{n}", body=b) for number, body in enumerate(bodies)
    ]
    answers, errors = at_once(calls, 2)
    assert errors == []
    assert [each.status_code for each in answers] == [201, 201]
    assert IdempotencyKey.objects.count() == 2


def test_a_storm_of_keys_singly_and_in_bulk_holds_every_limit(operator):
    Operator.objects.filter(pk=operator.pk).update(max_active_contacts=7)
    calls = []
    for number in range(40):
        one = {**ONE, "lead_external_id": f"tg:{number % 5}"}
        calls += [
            lambda n=number, b=one: insist(
                f"one-{n % 20}", "/contacts", {**b, "message": str(n % 20)}
            ),
            lambda n=number: insist(f"bulk-{n % 10}", "/contacts/bulk", MANY),
        ]
    answers, errors = at_once(calls, 16)
    assert errors == []
    assert {each.status_code for each in answers} == {200, 201}
    assert len(firsts(answers)) == 30
    assert Contact.objects.count() == 20 + 10 * len(MANY["contacts"])
    assert Contact.objects.filter(operator=operator).count() == 7
