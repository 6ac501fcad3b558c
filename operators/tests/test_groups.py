"""The migration that makes the groups, at every place it can meet."""

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from operators.roles import OPERATOR, ROLES, TEAM_LEAD
from operators.tests.people import groups, make_user

pytestmark = pytest.mark.django_db


def allowed(name):
    found = Group.objects.get(name=name).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return {f"{label}.{codename}" for label, codename in found}


def test_an_operator_may_look_at_contacts_and_leads_and_act_on_contacts():
    groups.make_groups(apps, None)
    assert allowed(OPERATOR) == {
        "contacts.view_contact",
        "contacts.change_contact",
        "leads.view_lead",
    }


def test_a_team_lead_has_everything_but_groups_and_the_deletion_of_users():
    groups.make_groups(apps, None)
    assert allowed(OPERATOR) < allowed(TEAM_LEAD)
    assert {each for each in allowed(TEAM_LEAD) if each.startswith("auth.")} == {
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
    }


def test_it_makes_what_it_needs_where_there_are_no_permissions_yet_as_django_would():
    groups.make_groups(apps, None)
    made_by_django = set(Permission.objects.values_list("codename", "name"))
    Permission.objects.all().delete()
    Group.objects.all().delete()
    ContentType.objects.clear_cache()
    groups.make_groups(apps, None)
    assert set(Permission.objects.values_list("codename", "name")) <= made_by_django
    before = allowed(TEAM_LEAD)
    for app in apps.get_app_configs():
        create_permissions(app, verbosity=0)
    assert set(Permission.objects.values_list("codename", "name")) == made_by_django
    assert allowed(TEAM_LEAD) == before


def test_a_second_run_changes_nothing():
    groups.make_groups(apps, None)
    before = {name: allowed(name) for name in ROLES}
    groups.make_groups(apps, None)
    assert {name: allowed(name) for name in ROLES} == before
    assert Group.objects.count() == 2


def test_going_back_leaves_the_users_and_other_groups_alone():
    user = make_user("anna", OPERATOR)
    other = Group.objects.create(name="Бухгалтерия")
    user.groups.add(other)
    groups.remove_groups(apps, None)
    user.refresh_from_db()
    assert list(user.groups.all()) == [other]
