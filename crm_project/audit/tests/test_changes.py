"""Who did what: through the API, the services and the admin, kept in the same transaction."""

import pytest

from contacts.services import change_status
from contacts.staffing import change_operator, change_source, delete_operator, release_operator
from contacts.tests.factories import ContactFactory
from crm_project.actor import Actor
from crm_project.audit.models import Change
from crm_project.audit.services import changes_of
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.services import change_weight, delete_source, remove_assignment, set_weight
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
ANNA = Actor("user", "anna")


def told(subject):
    return [(each.action, each.about, each.fields) for each in changes_of(subject)]


def test_a_change_keeps_what_was_before_and_who_did_it():
    operator = OperatorFactory(max_active_contacts=5)
    change_operator(operator, {"max_active_contacts": 8, "name": operator.name}, actor=ANNA)
    [change] = changes_of(operator)
    assert change.fields == {"max_active_contacts": [5, 8]}
    assert (change.actor_type, change.actor_name) == ("user", "anna")


def test_what_changes_nothing_leaves_no_trace():
    operator = OperatorFactory(is_active=True)
    change_operator(operator, {"is_active": True}, actor=ANNA)
    assert told(operator) == []


def test_the_api_says_who_made_changed_and_deleted_a_source(api):
    pk = api.post("/sources", {"name": "Бот", "code": "bot"}).json()["id"]
    api.patch(f"/sources/{pk}", {"name": "Наш бот", "sticky": True})
    api.delete(f"/sources/{pk}")
    assert told(Source(pk=pk)) == [
        ("delete", "", {}),
        ("change", "", {"name": ["Бот", "Наш бот"], "sticky": [False, True]}),
        (
            "create",
            "",
            {
                "name": [None, "Бот"],
                "code": [None, "bot"],
                "is_active": [None, True],
                "auto_assign_waiting": [None, True],
                "sticky": [None, False],
                "response_handovers": [None, 2],
                "strategy": [None, "weighted_random"],
                "kind": [None, "api"],
                "reuse_open_contact": [None, False],
            },
        ),
    ]
    assert set(Change.objects.values_list("actor_type", flat=True)) == {"anonymous"}


def test_a_weight_is_kept_with_the_source_and_with_the_operator(api):
    operator, source = OperatorFactory(name="Анна"), SourceFactory(name="Бот")
    pair = {"operator_id": operator.pk, "source_id": source.pk}
    api.post("/assignments", pair | {"weight": 3})
    api.post("/assignments", pair | {"weight": 3})
    api.patch(f"/assignments/{operator.pk}/{source.pk}", {"weight": 7})
    api.delete(f"/assignments/{operator.pk}/{source.pk}")
    steps = [{"weight": [7, None]}, {"weight": [3, 7]}, {"weight": [None, 3]}]
    assert told(source) == [("change", "Анна", step) for step in steps]
    assert told(operator) == [("change", "Бот", step) for step in steps]


def test_the_weight_before_is_the_stored_one_not_the_one_read_earlier():
    stale = AssignmentFactory(weight=1)
    set_weight(operator_id=stale.operator_id, source_id=stale.source_id, weight=5)
    change_weight(stale, weight=9, actor=ANNA)
    assert changes_of(stale.source)[0].fields == {"weight": [5, 9]}


def test_what_is_removed_twice_is_kept_once():
    assignment = AssignmentFactory()
    again = type(assignment).objects.get(pk=assignment.pk)
    remove_assignment(assignment, actor=ANNA)
    remove_assignment(again, actor=ANNA)
    assert changes_of(again.source).count() == 1


def test_a_status_is_kept_with_the_contact():
    contact = ContactFactory()
    change_status(contact.pk, status="in_progress", actor=ANNA)
    change_status(contact.pk, status="in_progress", actor=ANNA)
    change_status(contact.pk, status="closed", actor=ANNA)
    assert told(contact) == [
        ("change", "", {"status": ["in_progress", "closed"]}),
        ("change", "", {"status": ["new", "in_progress"]}),
    ]


def test_another_object_is_called_by_its_name(django_user_model):
    operator, user = OperatorFactory(), django_user_model.objects.create_user("boris")
    change_operator(operator, {"user": user}, actor=ANNA)
    assert told(operator) == [("change", "", {"user": [None, "boris"]})]


def test_the_trace_outlives_the_operator():
    operator = OperatorFactory(name="Анна")
    delete_operator(Operator.objects.get(pk=operator.pk), actor=ANNA)
    [change] = changes_of(operator)
    assert (change.action, change.subject_name) == ("delete", "Анна")


def test_releasing_keeps_that_the_operator_was_deactivated():
    operator = OperatorFactory()
    release_operator(operator.pk, deactivate=True, actor=ANNA)
    assert told(operator) == [("change", "", {"is_active": [True, False]})]


def test_switching_a_source_on_is_kept():
    source = SourceFactory(auto_assign_waiting=False)
    change_source(source, {"auto_assign_waiting": True}, actor=ANNA)
    assert told(source) == [("change", "", {"auto_assign_waiting": [False, True]})]


def test_what_is_refused_leaves_no_trace(api):
    contact = ContactFactory()
    assert api.delete(f"/sources/{contact.source_id}").status_code == 409
    assert told(contact.source) == []


def test_whoever_loses_a_weight_with_an_operator_or_a_source_is_told_so():
    first, second = AssignmentFactory(weight=9), AssignmentFactory(weight=4)
    delete_operator(Operator.objects.get(pk=first.operator_id), actor=ANNA)
    assert told(first.source) == [("change", first.operator.name, {"weight": [9, None]})]
    delete_source(Source.objects.get(pk=second.source_id), actor=ANNA)
    assert told(second.operator) == [("change", second.source.name, {"weight": [4, None]})]
