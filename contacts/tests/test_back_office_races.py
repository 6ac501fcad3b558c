"""Team leads at work in the back office while others and arrivals are; PostgreSQL only."""

import itertools
import threading

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.test import Client

from contacts.services import Inquiry, create_contact
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import load, owner, serve
from crm_project.testing.forms import filled
from crm_project.testing.threads import at_once
from operators.tests.factories import OperatorFactory
from sources import assignment_admin
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
SAVES = 6


@pytest.fixture
def boss():
    return get_user_model().objects.create_superuser("boss")


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def test_two_who_hand_one_contact_to_different_operators_both_stand_in_its_history(boss):
    contact = ContactFactory()
    chosen = [OperatorFactory(max_active_contacts=1) for _ in range(2)]
    path = f"/admin/contacts/contact/reassign_to/?ids={contact.pk}"

    def hand_to(operator):
        client = signed_in(boss)
        return lambda: client.post(path, {"operator": operator.pk})

    _, errors = at_once([hand_to(operator) for operator in chosen], 2)
    assert errors == []
    decided = list(contact.decisions.order_by("pk").values_list("operator_id", flat=True))
    assert sorted(decided) == sorted(operator.pk for operator in chosen)
    assert owner(contact).pk == decided[-1]
    assert sorted(load(operator) for operator in chosen) == [0, 1]


def forms_amid_arrivals(user):
    """Save a source's form, weights and all, while leads arrive who have to wait there.

    Returns the errors of the arrivals and the answers to the form.
    """
    source = SourceFactory()
    for _ in range(3):
        ContactFactory(operator=serve(source, max_active_contacts=1))
    client, done, numbers = signed_in(user), threading.Event(), itertools.count()
    path = f"/admin/sources/source/{source.pk}/change/"

    def save():
        answers = []
        try:
            for number in range(SAVES):
                weights = {f"assignments-{row}-weight": 2 + number for row in range(3)}
                page = client.get(path)
                data = filled(page, "source_form", description=f"{number}", **weights)
                answers.append(client.post(path, data, follow=True))
        finally:
            done.set()
        return [str(each) for answer in answers for each in answer.context["messages"]]

    def arrive():
        while not done.is_set():
            create_contact(Inquiry(source, f"lead:{next(numbers)}"))

    results, errors = at_once([save, arrive, arrive, arrive], 4)
    return errors, [each for each in results if each is not None]


def test_a_sources_form_and_arrivals_never_wait_for_each_other(boss):
    errors, [told] = forms_amid_arrivals(boss)
    assert errors == []
    assert len(told) == SAVES
    assert all("Сохранено" in each for each in told)


def test_locked_part_by_part_they_would(boss, monkeypatch):
    # Guards the test above: if this one fails, that one proves nothing.
    monkeypatch.setattr(assignment_admin, "lock_operators", lambda **concerned: {})
    monkeypatch.setattr(assignment_admin, "lock_sources", lambda sources: None)
    for _ in range(5):
        errors, told = forms_amid_arrivals(boss)
        busy = [each for messages in told for each in messages if "Сохранено" not in each]
        if any(isinstance(each, OperationalError) for each in errors) or busy:
            return
    pytest.fail("no deadlock in five rounds")
