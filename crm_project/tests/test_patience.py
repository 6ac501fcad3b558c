"""How long the database is waited for: what is asked for, and where it is not."""

import psycopg
import pytest
from django.db import connection

from crm_project import checks
from crm_project.patience import connection_options, serve_from
from crm_project.postgresql import base


def test_every_connection_limits_its_waits():
    options = connection_options(pgbouncer=False)
    assert options["connect_timeout"] == 3
    assert options["tcp_user_timeout"] == 10_000
    assert "-c lock_timeout=3s" in options["options"]
    assert "statement_timeout" not in options["options"]


def test_pgbouncer_is_asked_for_nothing_of_a_session():
    assert "options" not in connection_options(pgbouncer=True)


def test_only_a_process_that_serves_limits_a_statement():
    database = {"ENGINE": "crm_project.postgresql", "OPTIONS": connection_options(pgbouncer=False)}
    serve_from(database)
    assert database["OPTIONS"]["options"].endswith(" -c statement_timeout=30s")
    assert database["PATIENCE"] > 30
    behind = {"ENGINE": "crm_project.postgresql", "OPTIONS": connection_options(pgbouncer=True)}
    serve_from(behind)
    assert "options" not in behind["OPTIONS"]
    assert behind["PATIENCE"] > 30


def test_a_process_that_serves_makes_no_file():
    database = {"ENGINE": "crm_project.sqlite3", "NAME": "/var/my data/a?b.sqlite3"}
    serve_from(database)
    assert database["NAME"] == "file:/var/my%20data/a%3Fb.sqlite3?mode=rw"


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_database_whose_locks_are_waited_for_without_end_is_warned_of():
    assert checks.locks_are_not_waited_for_for_ever(["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")
        (warning,) = checks.locks_are_not_waited_for_for_ever(["default"])
    assert warning.id == "crm_project.W002"


@pytest.mark.postgres
@pytest.mark.django_db
def test_an_answer_that_does_not_come_ends_the_connection():
    parameters = connection.get_connection_params()
    with base.Connection.connect(**parameters) as other:
        other.patience = 0.2
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT pg_sleep(5)")
        assert other.closed
