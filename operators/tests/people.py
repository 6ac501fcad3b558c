"""Users as the back office knows them."""

import importlib

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from operators.roles import OPERATOR, TEAM_LEAD
from operators.tests.factories import OperatorFactory

groups = importlib.import_module("operators.migrations.0004_groups")
keys = importlib.import_module("access.migrations.0002_team_lead")
events = importlib.import_module("contacts.events.migrations.0003_team_lead")
notices = importlib.import_module("contacts.events.migrations.0004_notices")


def make_user(name, *roles, **fields):
    """Somebody who may sign in to the back office, in these groups."""
    # A test with threads empties all tables, so those that migrations filled too.
    groups.make_groups(apps, None)
    keys.allow(apps, None)
    events.allow(apps, None)
    notices.allow(apps, None)
    user = get_user_model().objects.create_user(name, **{"is_staff": True} | fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def make_lead(name="lead"):
    return make_user(name, TEAM_LEAD)


def make_operator(name="Анна", **fields):
    """An operator who can sign in."""
    return OperatorFactory(name=name, user=make_user(f"user of {name}", OPERATOR), **fields)
