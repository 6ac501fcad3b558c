"""What every test relies on."""

import os
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from contacts.models import ContactTally
from crm_project.patience import session_options
from crm_project.testing.secrets import watching

hypothesis_settings.register_profile("default", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items):
    if connection.vendor == "postgresql":
        return
    for item in items:
        if "postgres" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="SQLite has no locks on rows"))
        elif "once" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="runs once, beside PostgreSQL"))


@pytest.fixture(autouse=True)
def _quick_and_plain(settings):
    """A fast hash for passwords, and static files that nobody has to collect."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = django_settings.STORAGES | {"staticfiles": {"BACKEND": backend}}
    # Or WhiteNoise reads the whole folder for each client that a test makes.
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def _counting_anew(settings, tmp_path_factory):
    """No test pays for what another one asked or tried."""
    settings.COUNTERS_FILE = tmp_path_factory.getbasetemp() / f"counters-{uuid4().hex}.sqlite3"


@pytest.fixture(autouse=True)
def _asking_anew():
    """No test is spared a query by the content types that another one left in memory."""
    ContentType.objects.clear_cache()


@pytest.fixture(autouse=True)
def _nothing_tallied_of_others(request):
    """A flush empties the tables of SQLite row by row, and the triggers tell of each."""
    uses = {"db", "transactional_db", "_django_db_helper"} & set(request.fixturenames)
    if connection.vendor == "sqlite" and (uses or request.node.get_closest_marker("django_db")):
        request.getfixturevalue("_django_db_helper")
        ContactTally.objects.all().delete()


@pytest.fixture(autouse=True)
def _no_secret_is_logged():
    """Fail whatever test makes a line of the log tell what it sent or kept."""
    with watching() as watch:
        yield
    if leaks := watch.leaks():
        pytest.fail(f"the log tells what it must not: {leaks}")


@pytest.fixture
def patient(monkeypatch):
    """Who connects to PostgreSQL from now on waits longer for a lock than any machine is slow."""
    options = connection.settings_dict["OPTIONS"]
    longer = f"{options['options']} {session_options(lock_timeout=60)}"
    monkeypatch.setitem(options, "options", longer)


@pytest.fixture
def api():
    return APIClient()
