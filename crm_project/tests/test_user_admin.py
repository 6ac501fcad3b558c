"""A team lead lets others in, and gives nobody more than the two groups."""

import pytest
from django.contrib.auth.models import Group, Permission, User

from crm_project.testing.forms import filled
from operators.roles import OPERATOR, ROLES, TEAM_LEAD
from operators.tests.factories import OperatorFactory
from operators.tests.people import make_lead, make_operator, make_user

pytestmark = pytest.mark.django_db
USERS = "/admin/auth/user/"
PASSWORD = "correct-horse-7"
EVERYTHING = {"is_superuser": "on", "is_staff": "on"}


@pytest.fixture
def lead(client):
    client.force_login(make_lead())
    return client


@pytest.fixture
def boss():
    return make_user("boss", is_superuser=True)


def group(name):
    return Group.objects.get_or_create(name=name)[0].pk


def add(client, name, **fields):
    form = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    return client.post(f"{USERS}add/", form | fields)


def change(client, user, **fields):
    form = {"username": user.username, "is_active": "on"}
    return client.post(f"{USERS}{user.pk}/change/", form | fields)


def set_password(client, user):
    form = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    return client.post(f"{USERS}{user.pk}/password/", form)


def groups_of(user):
    return set(User.objects.get(pk=user.pk).groups.values_list("name", flat=True))


def test_a_login_made_by_a_team_lead_works(lead, client):
    assert add(lead, "anna", groups=[group(OPERATOR)]).status_code == 302
    user = User.objects.get(username="anna")
    assert (user.is_staff, user.is_superuser, groups_of(user)) == (True, False, {OPERATOR})
    operator = OperatorFactory(name="Анна")
    path = f"/admin/operators/operator/{operator.pk}/change/"
    form = filled(lead.get(path), "operator_form", user=user.pk)
    assert lead.post(path, form).status_code == 302
    client.logout()
    assert client.login(username="anna", password=PASSWORD)
    assert "Анна" in client.get("/admin/", follow=True).content.decode()


@pytest.mark.parametrize("role", ROLES)
def test_a_team_lead_puts_into_both_groups_and_takes_out_again(lead, role):
    user = make_user("anna")
    change(lead, user, groups=[group(role)])
    assert groups_of(user) == {role}
    change(lead, user)
    assert groups_of(user) == set()


def test_a_team_lead_sets_the_password_of_an_operator(lead):
    user = make_operator("Анна").user
    assert set_password(lead, user).status_code == 302
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_team_lead_makes_no_superuser_neither_new_nor_of_another_nor_of_themselves(lead):
    permission = Permission.objects.first().pk
    add(lead, "anna", **EVERYTHING, user_permissions=[permission])
    users = [User.objects.get(username=name) for name in ("anna", "lead")]
    for user in users:
        change(lead, user, **EVERYTHING, user_permissions=[permission], groups=[group(TEAM_LEAD)])
        user.refresh_from_db()
        assert not user.is_superuser
        assert not user.user_permissions.exists()


def test_a_team_lead_puts_nobody_into_another_group(lead):
    user, other = make_user("anna"), group("Бухгалтерия")
    assert change(lead, user, groups=[other]).status_code == 200
    assert add(lead, "boris", groups=[other]).status_code == 200
    assert groups_of(user) == set()
    assert not User.objects.filter(username="boris").exists()


def beyond():
    """Users with rights that a team lead may not have."""
    permitted, grouped = make_user("permitted"), make_user("grouped", TEAM_LEAD)
    permitted.user_permissions.add(Permission.objects.first())
    grouped.groups.add(group("Бухгалтерия"))
    return [permitted, grouped]


def test_who_has_other_rights_is_not_there_for_a_team_lead(lead, boss):
    for user in [boss, *beyond()]:
        before = User.objects.filter(pk=user.pk).values().get()
        assert change(lead, user, username="mine", groups=[]).status_code == 404
        assert set_password(lead, user).status_code == 404
        assert User.objects.filter(pk=user.pk).values().get() == before
        assert user.username not in lead.get(USERS).content.decode()
    query = "app_label=operators&model_name=operator&field_name=user&term=boss"
    assert lead.get(f"/admin/autocomplete/?{query}").json()["results"] == []


def test_a_team_lead_deletes_nobody(lead):
    user = make_user("anna")
    assert lead.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 403
    lead.post(USERS, {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"})
    assert User.objects.filter(pk=user.pk).exists()


def test_a_team_lead_shuts_an_operator_out(lead):
    user = make_user("anna", OPERATOR)
    assert "Может входить" in lead.get(f"{USERS}{user.pk}/change/").content.decode()
    lead.post(f"{USERS}{user.pk}/change/", {"username": "anna", "groups": [group(OPERATOR)]})
    user.refresh_from_db()
    assert not user.is_active


def test_the_permission_alone_makes_no_team_lead(client):
    """Else whoever has it could walk into the group of team leads."""
    clerk = make_user("clerk")
    clerk.user_permissions.set(Permission.objects.filter(content_type__model="user"))
    client.force_login(clerk)
    assert change(client, make_user("anna"), groups=[group(TEAM_LEAD)]).status_code == 404
    assert add(client, "boris", groups=[group(TEAM_LEAD)]).status_code == 200
    assert not User.objects.filter(username="boris").exists()


def test_a_superuser_may_do_all_that(client, boss):
    client.force_login(boss)
    user, permission = make_user("anna"), Permission.objects.first()
    change(client, user, **EVERYTHING, user_permissions=[permission.pk], groups=[group("Другая")])
    user.refresh_from_db()
    assert user.is_superuser
    assert list(user.user_permissions.all()) == [permission]
    assert groups_of(user) == {"Другая"}
    assert add(client, "boris").status_code == 302
    assert User.objects.get(username="boris").is_staff


def test_the_groups_are_changed_by_nobody(client, boss):
    client.force_login(boss)
    path = f"/admin/auth/group/{group(OPERATOR)}/change/"
    assert client.post(path, {"name": "x", "permissions": []}).status_code == 403
    assert Group.objects.filter(name=OPERATOR).exists()


def test_what_is_allowed_is_said_in_the_language_of_the_page(client, boss):
    client.force_login(boss)
    pages = [
        client.get(f"{USERS}{boss.pk}/change/"),
        client.get(f"/admin/auth/group/{group(TEAM_LEAD)}/change/"),
    ]
    for page in pages:
        assert "Обращения: просмотр" in page.content.decode()
        assert "Can view" not in page.content.decode()


def test_a_list_that_is_called_as_its_app_is_named_once(client, boss):
    client.force_login(boss)
    page = client.get("/admin/operators/operator/").content.decode()
    heading = page.partition("<h1")[2].partition("</h1>")[0]
    assert heading.count("Операторы") == 1
