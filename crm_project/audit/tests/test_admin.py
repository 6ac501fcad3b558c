"""Who did what, as the admin shows it on the object."""

import pytest

from contacts.services import change_status
from contacts.staffing import change_operator, change_source, delete_operator
from contacts.tests.factories import ContactFactory
from crm_project.actor import Actor
from crm_project.testing.forms import filled
from leads.services import update_lead
from operators.tests.factories import OperatorFactory
from sources.services import set_weight
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
ANNA = Actor("user", "anna")


def text(response):
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("where", ["change", "history"])
def test_an_operators_changes_are_read_in_words(admin_client, where):
    operator = OperatorFactory(max_active_contacts=5, is_active=True)
    change_operator(operator, {"max_active_contacts": 8}, actor=ANNA)
    change_operator(operator, {"is_active": False}, actor=ANNA)
    shown = text(admin_client.get(f"/admin/operators/operator/{operator.pk}/{where}/"))
    assert "<strong>anna</strong> <span>изменение: лимит: 5 → 8</span>" in shown
    assert "<span>изменение: принимает: Да → Нет</span>" in shown


def test_a_sources_weights_and_strategy_are_read_in_words(admin_client):
    source, operator = SourceFactory(), OperatorFactory(name="Борис")
    set_weight(operator_id=operator.pk, source_id=source.pk, weight=4, actor=ANNA)
    change_source(source, {"strategy": "least_loaded"}, actor=Actor("command", "tune"))
    shown = text(admin_client.get(f"/admin/sources/source/{source.pk}/change/"))
    assert "изменение: вес (Борис): — → 4" in shown
    assert "команда tune" in shown
    assert "наименее загруженному" in shown


def test_what_was_done_in_the_admin_names_its_user(admin_client):
    page = admin_client.get("/admin/operators/operator/add/")
    data = filled(page, "operator_form", name="Вера", max_active_contacts=7)
    admin_client.post("/admin/operators/operator/add/", data)
    operator = OperatorFactory._meta.model.objects.get(name="Вера")
    shown = text(admin_client.get(f"/admin/operators/operator/{operator.pk}/history/"))
    assert "<strong>admin</strong> <span>создание: имя: Вера" in shown


def test_names_are_text_not_markup(admin_client):
    operator = OperatorFactory()
    change_operator(operator, {"name": "<b>x</b>"}, actor=Actor("user", "<i>y</i>"))
    shown = text(admin_client.get(f"/admin/operators/operator/{operator.pk}/history/"))
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert "<i>y</i>" not in shown


def test_what_nobody_changed_says_so(admin_client):
    operator = OperatorFactory()
    shown = text(admin_client.get(f"/admin/operators/operator/{operator.pk}/history/"))
    assert "Изменений пока не было." in shown


def test_all_changes_are_listed_of_objects_too_that_are_no_more(admin_client):
    operator = OperatorFactory(name="Анна", max_active_contacts=5)
    change_operator(operator, {"max_active_contacts": 8}, actor=ANNA)
    delete_operator(operator, actor=ANNA)
    shown = text(admin_client.get("/admin/audit/change/"))
    assert "лимит: 5 → 8" in shown
    assert "удаление" in shown
    assert "оператор" in shown
    assert ">operator<" not in shown
    assert admin_client.get("/admin/audit/change/add/").status_code == 403


def test_every_kind_of_change_is_told_in_the_list(admin_client):
    contact = ContactFactory()
    change_status(contact.pk, status="closed", actor=ANNA)
    update_lead(contact.lead, name="Вера", actor=ANNA)
    change_source(contact.source, {"strategy": "least_loaded"}, actor=ANNA)
    shown = text(admin_client.get("/admin/audit/change/"))
    assert "статус: новое → закрыто" in shown
    assert "→ Вера" in shown
    assert "наименее загруженному" in shown


def test_the_list_is_narrowed_by_the_kind_of_object(admin_client):
    operator, source = OperatorFactory(name="Анна"), SourceFactory(name="Бот")
    change_operator(operator, {"max_active_contacts": 8}, actor=ANNA)
    change_source(source, {"sticky": True}, actor=ANNA)
    page = admin_client.get("/admin/audit/change/?kind=source")
    assert [each.subject_name for each in page.context["cl"].result_list] == ["Бот"]
