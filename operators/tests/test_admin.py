"""Operators in the back office: load, sources with weights, switching on and off, releasing."""

import pytest

from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import load, owner, serve
from crm_project.testing.forms import filled
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Assignment
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/operators/operator/"


def act(client, action, *operators):
    data = {"action": action, "_selected_action": [each.pk for each in operators]}
    page = client.post(LIST, data, follow=True)
    return [str(message) for message in page.context["messages"]]


def test_the_load_is_shown_against_the_limit(admin_client):
    operator = OperatorFactory(max_active_contacts=4)
    ContactFactory.create_batch(4, operator=operator)
    page = admin_client.get(LIST).content.decode()
    assert "4 из 4" in page
    assert "crm-bar-full" in page


def test_switching_on_hands_out_what_waits(admin_client):
    contact = ContactFactory()
    operator = serve(contact.source, name="Анна", is_active=False)
    assert act(admin_client, "activate", operator) == ["Анна: принимает"]
    assert owner(contact) == operator
    assert act(admin_client, "deactivate", operator) == ["Анна: не принимает"]
    assert owner(contact) == operator


def test_releasing_reports_who_got_what_and_why_the_rest_waits(admin_client):
    source = SourceFactory(name="ВК")
    anna = serve(source, name="Анна")
    boris = serve(source, name="Борис", max_active_contacts=2)
    ContactFactory.create_batch(3, source=source, operator=anna)
    [report] = act(admin_client, "release", anna)
    assert report == "Анна: освобождено 3: Борис — 2; ждут в «ВК» — 1 (все заняты)"
    assert (load(anna), load(boris)) == (0, 2)
    assert not Operator.objects.get(pk=anna.pk).is_active
    assert act(admin_client, "release", anna) == ["Анна: открытых обращений нет, передавать нечего"]


def test_weights_are_edited_at_the_operator_too(admin_client):
    operator, source = OperatorFactory(), SourceFactory()
    contact = ContactFactory(source=source)
    path = f"{LIST}{operator.pk}/change/"
    page = admin_client.get(path)
    row = {"assignments-TOTAL_FORMS": 1, "assignments-0-source": source.pk}
    row |= {"assignments-0-weight": 6, "assignments-0-operator": operator.pk}
    assert admin_client.post(path, filled(page, "operator_form", **row)).status_code == 302
    assert Assignment.objects.get().weight == 6
    assert owner(contact) == operator


def test_a_new_operator_may_come_with_sources(admin_client):
    source = SourceFactory()
    page = admin_client.get(f"{LIST}add/")
    row = {"assignments-TOTAL_FORMS": 1, "assignments-0-source": source.pk}
    row |= {"assignments-0-weight": 2, "name": "Вера", "max_active_contacts": 5}
    data = filled(page, "operator_form", **row)
    assert admin_client.post(f"{LIST}add/", data).status_code == 302
    assert Assignment.objects.get().operator.name == "Вера"


def test_the_list_takes_the_same_queries_for_many(admin_client, django_assert_max_num_queries):
    for _ in range(30):
        serve(SourceFactory())
    with django_assert_max_num_queries(12):
        assert admin_client.get(LIST).status_code == 200


def test_beside_each_weight_stands_the_share_of_the_source(admin_client):
    source, switched_off = SourceFactory(), SourceFactory(is_active=False)
    anna = serve(source, name="Анна", weight=3)
    serve(source, weight=1)
    serve(source, weight=50, is_active=False)
    AssignmentFactory(operator=anna, source=switched_off)
    page = admin_client.get(f"{LIST}{anna.pk}/change/").content.decode()
    assert 'data-available="yes" data-others="1">75,0 %<' in page
    assert 'data-available="" data-others="0">—<' in page


def test_the_page_switches_and_releases_by_buttons(admin_client):
    anna = serve(SourceFactory(), name="Анна")
    page = admin_client.get(f"{LIST}{anna.pk}/change/").content.decode()
    assert 'value="deactivate"' in page
    assert 'value="release"' in page
    assert 'value="activate"' not in page
