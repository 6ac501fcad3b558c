"""The admin is a window: what it changes goes through the services."""

import pytest
from django.contrib.auth import get_user_model

from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from operators.tests.factories import OperatorFactory
from sources.models import Assignment, Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
LISTS = [
    "operators/operator",
    "sources/source",
    "sources/assignment",
    "leads/lead",
    "contacts/contact",
]


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def act(admin, action, *contacts):
    data = {"action": action, "_selected_action": [contact.pk for contact in contacts]}
    page = admin.post("/admin/contacts/contact/", data, follow=True)
    return [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize("path", LISTS)
def test_every_model_is_listed_searched_and_shown_in_bounded_queries(
    admin, path, django_assert_max_num_queries
):
    for _ in range(20):
        assignment = AssignmentFactory(operator__name="Щукина", source__name="Щука")
        ContactFactory(
            operator=assignment.operator, source=assignment.source, lead__name="Щукин", message="щ"
        )
    with django_assert_max_num_queries(14):
        page = admin.get(f"/admin/{path}/?q=щУк")
    assert page.status_code == 200
    assert len(page.context["cl"].result_list) == 20


@pytest.mark.parametrize("path", LISTS[:2])
def test_what_may_be_added_has_a_form(admin, path):
    assert admin.get(f"/admin/{path}/add/").status_code == 200


def test_a_contact_is_shown_and_offers_no_way_to_write_it(admin):
    contact = ContactFactory(message="Привет")
    path = f"/admin/contacts/contact/{contact.pk}/change/"
    page = admin.get(path).content.decode()
    assert "Привет" in page
    assert 'name="_save"' not in page
    assert admin.post(path, {"message": "x", "status": "closed"}).status_code == 403
    assert admin.get("/admin/contacts/contact/add/").status_code == 403
    assert admin.get(f"/admin/contacts/contact/{contact.pk}/delete/").status_code == 403


def test_the_actions_tell_each_outcome_with_its_count(admin):
    source = SourceFactory()
    AssignmentFactory(source=source, operator__name="Анна", operator__max_active_contacts=1)
    first, second = ContactFactory.create_batch(2, source=source)
    waits = "Обращение ждёт: сначала передайте его кому-нибудь."
    assert act(admin, "take", first) == [f"{first}: {waits}"]
    assert act(admin, "close", first, second) == [f"{first}, {second}: закрыто: ждёт"]
    assert act(admin, "reopen", first, second) == [
        f"{first}: новое: Анна",
        f"{second}: новое: ждёт",
    ]
    assert act(admin, "take", first) == [f"{first}: в работе: Анна"]
    assert "(Анна: занято 1 из 1)" in "".join(act(admin, "reassign", second))
    assert act(admin, "close", first) == [f"{first}: закрыто: Анна"]
    second.refresh_from_db()
    assert second.operator.name == "Анна"
    assert act(admin, "reassign", first, second) == [
        f"{first}: Обращение закрыто. Сначала откройте его снова.",
        f"{second}: Остаётся у оператора Анна: других свободных нет (Анна: прежний оператор).",
    ]


def test_who_may_only_look_has_no_actions(client):
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    client.force_login(user)
    assert client.get("/admin/contacts/contact/").status_code == 403
    contact = ContactFactory()
    data = {"action": "close", "_selected_action": [contact.pk]}
    assert client.post("/admin/contacts/contact/", data).status_code == 403
    assert Contact.objects.get().status == "new"


def test_deleting_an_operator_hands_out_the_contacts_first(admin):
    source = SourceFactory()
    leaving, staying = (AssignmentFactory(source=source).operator for _ in range(2))
    contact = ContactFactory(source=source, operator=leaving)
    path = f"/admin/operators/operator/{leaving.pk}/delete/"
    assert admin.get(path).status_code == 200
    assert admin.post(path, {"post": "yes"}).status_code == 302
    contact.refresh_from_db()
    assert contact.operator == staying


def test_a_source_with_contacts_cannot_be_deleted_and_says_why(admin):
    source = ContactFactory(source__name="ВК").source
    path = f"/admin/sources/source/{source.pk}/delete/"
    assert "1 обращение" in admin.get(path).content.decode()
    admin.post(path, {"post": "yes"})
    assert Source.objects.exists()


def formset(source, *rows, initial=0):
    data = {"name": source.name, "code": source.code, "is_active": "on"}
    data |= {"auto_assign_waiting": "on", "strategy": source.strategy, "kind": source.kind}
    data |= {"response_handovers": source.response_handovers}
    data |= {"assignments-TOTAL_FORMS": len(rows), "assignments-INITIAL_FORMS": initial}
    data |= {f"initial-{name}": value for name, value in data.items()}
    weights = dict(Assignment.objects.values_list("pk", "weight"))
    for number, row in enumerate(rows):
        if shown := weights.get(row.get("id")):
            data[f"initial-assignments-{number}-weight"] = shown
        fields = {"source": source.pk} | row
        data |= {f"assignments-{number}-{name}": value for name, value in fields.items()}
    return data


def test_weights_are_edited_at_their_source(admin):
    kept, gone = AssignmentFactory.create_batch(2, source=SourceFactory())
    new = OperatorFactory()
    rows = [
        {"id": kept.pk, "operator": kept.operator_id, "weight": 7},
        {"id": gone.pk, "operator": gone.operator_id, "weight": 1, "DELETE": "on"},
        {"operator": new.pk, "weight": 3},
    ]
    path = f"/admin/sources/source/{kept.source_id}/change/"
    response = admin.post(path, formset(kept.source, *rows, initial=2))
    assert response.status_code == 302
    weights = dict(Assignment.objects.values_list("operator", "weight"))
    assert weights == {kept.operator_id: 7, new.pk: 3}


def test_a_row_stays_that_of_its_operator(admin):
    assignment, other = AssignmentFactory(), OperatorFactory()
    row = {"id": assignment.pk, "operator": other.pk, "weight": 2}
    path = f"/admin/sources/source/{assignment.source_id}/change/"
    assert admin.post(path, formset(assignment.source, row, initial=1)).status_code == 302
    assert dict(Assignment.objects.values_list("operator", "weight")) == {assignment.operator_id: 2}


@pytest.mark.parametrize("weight", [0, 1001, "x"])
def test_a_wrong_weight_is_refused_in_the_form(admin, weight):
    source = SourceFactory()
    row = {"operator": OperatorFactory().pk, "weight": weight}
    response = admin.post(f"/admin/sources/source/{source.pk}/change/", formset(source, row))
    assert response.status_code == 200
    assert not Assignment.objects.exists()


def test_an_operator_twice_in_one_source_is_refused_in_the_form(admin):
    source, operator = SourceFactory(), OperatorFactory()
    row = {"operator": operator.pk, "weight": 1}
    response = admin.post(f"/admin/sources/source/{source.pk}/change/", formset(source, row, row))
    assert response.status_code == 200
    assert not Assignment.objects.exists()
