"""The environment is read strictly: a start with a wrong value says which and why."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.once

KEY = "abcdefghij" * 5
PRODUCTION = {"CRM_PRODUCTION": "true", "CRM_SECRET_KEY": KEY, "CRM_ALLOWED_HOSTS": "a.example"}


def manage(*command, **environment):
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CRM_") and name not in ("DATABASE_URL", "HOST", "PORT")
    }
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        env=clean | {"CRM_DOTENV": os.devnull, "DATABASE_URL": "sqlite:///:memory:"} | environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CRM_PRODUCTION": "maybe"}, "CRM_PRODUCTION must be true or false"),
        ({"CRM_PRODUCTION": "true"}, "CRM_SECRET_KEY"),
        (PRODUCTION | {"CRM_SECRET_KEY": "short"}, "CRM_SECRET_KEY"),
        ({"CRM_DOTENV": "/nowhere/env"}, "CRM_DOTENV names /nowhere/env"),
        (PRODUCTION | {"CRM_ALLOWED_HOSTS": ""}, "CRM_ALLOWED_HOSTS"),
        (PRODUCTION | {"CRM_ALLOWED_HOSTS": "*"}, "CRM_ALLOWED_HOSTS"),
        (PRODUCTION | {"CRM_DEBUG": "on"}, "CRM_DEBUG"),
        ({"CRM_TIME_ZONE": "Mars/Olympus"}, "CRM_TIME_ZONE"),
        ({"CRM_PHONE_REGION": "XX"}, "CRM_PHONE_REGION"),
        ({"CRM_IDEMPOTENCY_HOURS": "23"}, "CRM_IDEMPOTENCY_HOURS"),
        ({"CRM_CONN_MAX_AGE": "-1", "DATABASE_URL": "postgresql://a@b/c"}, "CRM_CONN_MAX_AGE"),
        ({"CRM_PROXIES": "6"}, "CRM_PROXIES"),
        ({"CRM_REQUESTS_PER_MINUTE_KEY": "many"}, "CRM_REQUESTS_PER_MINUTE_KEY"),
        ({"CRM_REQUESTS_PER_MINUTE_ADDRESS": "-1"}, "CRM_REQUESTS_PER_MINUTE_ADDRESS"),
        ({"CRM_ALLOWED_HOST": "a.example"}, "Did you mean CRM_ALLOWED_HOSTS?"),
        ({"DATABASE_URL": "mysql://a@b/c"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a@b:port/c"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://a@b"}, "DATABASE_URL"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line(environment, words):
    done = manage("check", **environment)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_production_settings_pass_djangos_own_checks():
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "0 0 0"),
        (PRODUCTION, "6000 600 0"),
        (PRODUCTION | {"CRM_BEHIND_TLS_PROXY": "true"}, "6000 600 1"),
        (PRODUCTION | {"CRM_BEHIND_TLS_PROXY": "true", "CRM_PROXIES": "2"}, "6000 600 2"),
        (PRODUCTION | {"CRM_REQUESTS_PER_MINUTE_KEY": "0"}, "0 600 0"),
    ],
)
def test_production_limits_requests_and_knows_its_proxy(environment, told):
    names = ("REQUESTS_PER_MINUTE_KEY", "REQUESTS_PER_MINUTE_ADDRESS", "PROXIES")
    code = f"from django.conf import settings as s; print(*(getattr(s, n) for n in {names}))"
    assert manage("shell", "-v0", "-c", code, **environment).stdout.strip() == told


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "crm.example.com"])  # noqa: S104
def test_the_open_api_is_served_on_loopback_alone(host):
    done = manage("prepare", "--listen", f"{host}:8000")
    assert done.returncode == 1
    assert "would open the API to everybody" in done.stderr


def test_an_unreachable_database_is_one_line():
    done = manage("prepare", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
