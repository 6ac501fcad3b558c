"""`manage.py backup`: whole or not at all, for nobody else to read, restorable."""

import os
import sqlite3
import stat
import subprocess
from contextlib import nullcontext
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import timezone

from crm_project.testing.postgres import find_programs
from operators.tests.factories import OperatorFactory

# A copy is made outside of transactions.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    """Those of the server's own version."""
    if connection.vendor == "postgresql":
        monkeypatch.setenv("PATH", str(find_programs()), prepend=os.pathsep)


def backup(folder, **options):
    out = StringIO()
    call_command("backup", folder, stdout=out, **options)
    return out.getvalue()


def restored(path, query):
    """What the query finds in a database made of this backup."""
    if connection.vendor == "sqlite":
        return sqlite3.connect(path).execute(query).fetchall()
    copy = f"{connection.settings_dict['NAME']}_restored"
    (_, *options, _), variables = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, []
    )

    def run(*command):
        done = subprocess.run(
            command,
            env=os.environ | (variables or {}),
            check=True,
            capture_output=True,
            text=True,
        )
        return [tuple(line.split("|")) for line in done.stdout.splitlines()]

    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{copy}"')
    try:
        run("pg_restore", "--no-owner", *options, "-d", copy, path)
        return run("psql", *options, "-d", copy, "-AtXc", query)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{copy}"')


def test_what_was_there_is_in_the_restored_database(tmp_path):
    OperatorFactory(name="Щукина")
    folder = tmp_path / "not" / "there" / "yet"
    said = backup(folder)
    (path,) = folder.iterdir()
    assert str(path) in said
    assert restored(path, "SELECT name FROM operators_operator") == [("Щукина",)]


def test_nobody_else_can_read_it(tmp_path):
    backup(tmp_path / "backups")
    (path,) = (tmp_path / "backups").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_old_is_deleted_and_nothing_else(tmp_path):
    suffix = {"sqlite": "sqlite3", "postgresql": "dump"}[connection.vendor]
    moment = (timezone.now() - timedelta(days=8)).timestamp()
    for name in (f"mini-crm-20200101T000000000000Z.{suffix}", "notes.txt", f"other.{suffix}"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (moment, moment))
    backup(tmp_path, keep_days=9)
    assert len(list(tmp_path.iterdir())) == 4
    assert "1 old" in backup(tmp_path, keep_days=7)
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 4
    assert {"notes.txt", f"other.{suffix}"} < left


def test_what_fails_leaves_nothing_behind_and_deletes_nothing(tmp_path, monkeypatch):
    old = tmp_path / "mini-crm-20200101T000000000000Z.dump"
    old.touch()
    os.utime(old, (0, 0))
    if connection.vendor == "postgresql":
        monkeypatch.setitem(connection.settings_dict, "NAME", "no_such_database")
        broken = nullcontext()
    else:
        broken = transaction.atomic()  # in which SQLite copies nothing
    with broken, pytest.raises(CommandError):
        backup(tmp_path, keep_days=1)
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite needs no program")
def test_a_missing_program_is_told_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="postgresql-client"):
        backup(tmp_path / "backups")


@pytest.mark.parametrize("days", [0, 3651])
def test_a_senseless_age_is_refused(tmp_path, days):
    with pytest.raises(CommandError, match="keep-days"):
        backup(tmp_path, keep_days=days)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="Cannot write"):
        backup(tmp_path / "file" / "backups")
