"""Two people at one form lose nothing silently, and what is refused is a message."""

import pytest

from crm_project.audit.services import changes_of
from crm_project.testing.faults import lock_timeout
from crm_project.testing.forms import filled
from crm_project.testing.queries import capture_sql
from operators import admin as operators_admin
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from operators.tests.people import make_lead
from sources.models import Assignment, Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def open_form(client, thing):
    name = thing._meta.model_name
    path = f"/admin/{thing._meta.app_label}/{name}/{thing.pk}/change/"
    return path, client.get(path), f"{name}_form"


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_a_stale_form_undoes_no_other_change(admin_client):
    operator = OperatorFactory(name="Анна", max_active_contacts=5)
    path, page, form = open_form(admin_client, operator)
    Operator.objects.update(max_active_contacts=7)
    assert admin_client.post(path, filled(page, form, name="Анна П.")).status_code == 302
    operator.refresh_from_db()
    assert (operator.name, operator.max_active_contacts) == ("Анна П.", 7)


def test_two_changes_of_one_field_are_a_question_not_a_loss(admin_client):
    operator = OperatorFactory(max_active_contacts=5)
    path, page, form = open_form(admin_client, operator)
    Operator.objects.update(max_active_contacts=7)
    second = admin_client.post(path, filled(page, form, max_active_contacts=9))
    assert "кто-то другой изменил это на «7»" in second.content.decode()
    operator.refresh_from_db()
    assert operator.max_active_contacts == 7
    assert admin_client.post(path, filled(second, form)).status_code == 302
    operator.refresh_from_db()
    assert operator.max_active_contacts == 9


def test_two_who_want_the_same_do_not_quarrel(admin_client):
    operator = OperatorFactory(is_active=True)
    path, page, form = open_form(admin_client, operator)
    Operator.objects.update(is_active=False)
    assert admin_client.post(path, filled(page, form, is_active=None)).status_code == 302


def test_a_choice_changed_meanwhile_is_named_in_words(admin_client):
    source = SourceFactory()
    path, page, form = open_form(admin_client, source)
    Source.objects.update(strategy="least_loaded", is_active=False)
    data = filled(page, form, strategy="smooth_weighted", name="Другое")
    second = admin_client.post(path, data).content.decode()
    assert "изменил это на «наименее загруженному»" in second
    source.refresh_from_db()
    assert (source.strategy, source.is_active) == ("least_loaded", False)


def test_a_weight_changed_meanwhile_is_not_overwritten(admin_client):
    assignment = AssignmentFactory(weight=1)
    path, page, form = open_form(admin_client, assignment.source)
    Assignment.objects.update(weight=5)
    assert admin_client.post(path, filled(page, form, name="Имя")).status_code == 302
    assert Assignment.objects.get().weight == 5
    second = admin_client.post(path, filled(page, form, **{"assignments-0-weight": 3}))
    assert "изменил это на «5»" in second.content.decode()
    assert Assignment.objects.get().weight == 5


def test_what_changes_between_the_check_and_the_lock_is_a_message(admin_client, monkeypatch):
    operator = OperatorFactory(max_active_contacts=5)
    path, page, form = open_form(admin_client, operator)
    change_operator = operators_admin.change_operator

    def slowly(*args, **kwargs):
        Operator.objects.update(max_active_contacts=7)
        return change_operator(*args, **kwargs)

    monkeypatch.setattr(operators_admin, "change_operator", slowly)
    data = filled(page, form, max_active_contacts=9)
    response = admin_client.post(path, data, follow=True)
    assert told(response) == ["Это одновременно изменил кто-то другой. Попробуйте ещё раз."]


def test_who_was_deleted_meanwhile_is_a_message(admin_client, monkeypatch):
    operator = OperatorFactory()
    path, page, form = open_form(admin_client, operator)

    def gone(*args, **kwargs):
        raise Operator.DoesNotExist

    monkeypatch.setattr(operators_admin, "change_operator", gone)
    assert told(admin_client.post(path, filled(page, form, name="Б"), follow=True))


def test_a_busy_database_is_a_message(admin_client, monkeypatch):
    operator = OperatorFactory()
    path, page, form = open_form(admin_client, operator)

    def locked(*args, **kwargs):
        raise lock_timeout()

    monkeypatch.setattr(operators_admin, "change_operator", locked)
    response = admin_client.post(path, filled(page, form, name="Б"), follow=True)
    assert told(response) == ["Сервис занят. Попробуйте ещё раз через мгновение."]


LISTS = ["operators/operator", "sources/source", "contacts/contact", "leads/lead", "auth/user"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "created_at__year=999999999",
        "created_at__year=0",
        "created_at__range=",
        "created_at_to=9999-12-31",
        "created_at_from=0001-01-01",
        "created_at__gte=0001-01-01T00:00:00Z",
        "name__regex=[",
        f"id__in={'9' * 19}",
        f"source={'9' * 19}",
        f"operator__id__exact={'9' * 19}",
        "q=%00",
        "id=%00",
        "p=x",
        "o=9",
    ],
)
def test_a_hostile_query_of_a_list_is_no_server_error(admin_client, path, query):
    assert admin_client.get(f"/admin/{path}/?{query}").status_code in (200, 302, 400)


@pytest.mark.parametrize("path", [*LISTS[:3], LISTS[4]])
@pytest.mark.parametrize("chosen", ["x", "\0", "9" * 30, "9" * 5000, "-1", "²"])
def test_a_hostile_choice_of_rows_is_a_message(admin_client, path, chosen):
    action = "close" if "contact" in path else "delete_selected"
    data = {"action": action, "_selected_action": [chosen]}
    assert admin_client.post(f"/admin/{path}/", data, follow=True).status_code == 200


def test_a_hostile_term_of_autocomplete_is_no_server_error(admin_client):
    query = "app_label=sources&model_name=assignment&field_name=operator&term=%00"
    assert admin_client.get(f"/admin/autocomplete/?{query}").status_code == 400


@pytest.mark.parametrize("number", ["x", "0", "99"])
def test_a_page_of_the_menus_search_that_is_not_there_is_not_found(admin_client, number):
    assert admin_client.get(f"/admin/search/?s=o&page={number}").status_code in (200, 404)


def test_a_contact_of_an_impossible_number_is_not_found(admin_client):
    path = f"/admin/contacts/contact/{'9' * 30}/do/take/"
    assert admin_client.post(path).status_code == 404


@pytest.mark.postgres
@pytest.mark.parametrize("whose", ["source", "operator"])
def test_a_form_locks_all_operators_by_their_ids_and_then_the_sources(admin_client, whose):
    # Else it could hold a source while an arrival, which holds an operator, waits for that.
    first, second = AssignmentFactory.create_batch(2, source=SourceFactory())
    thing = first.source if whose == "source" else second.operator
    path, shown, form = open_form(admin_client, thing)
    data = filled(shown, form, name="Новое имя", **{"assignments-0-weight": 7})
    statements = capture_sql(lambda: admin_client.post(path, data))
    locks = [each for each in statements if "FOR NO KEY UPDATE" in each]
    assert "operators_operator" in locks[0]
    assert "ORDER BY" in locks[0]
    assert "sources_source" in locks[1]
    thing.refresh_from_db()
    assert thing.name == "Новое имя"


def test_a_team_lead_links_no_user_whom_he_may_not_see(client, django_user_model):
    boss = django_user_model.objects.create_superuser("root")
    client.force_login(make_lead())
    operator = OperatorFactory()
    path, page, form = open_form(client, operator)
    assert client.post(path, filled(page, form, user=boss.pk)).status_code == 200
    operator.refresh_from_db()
    assert operator.user is None


def test_deleting_a_login_is_kept_with_its_operator(admin_client, django_user_model):
    user = django_user_model.objects.create_user("anna")
    operator = OperatorFactory(user=user)
    admin_client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert changes_of(operator)[0].fields == {"user": ["anna", None]}
