"""The benchmark fills an empty database, and asks for what is measured in its own process."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from contacts.invariants import check_all
from contacts.models import WAITING, Contact, DecisionRecord, Load
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.models import Operator
from sources.models import Assignment, Source
from stats.benchmark.filling import fill

# Indexes are taken away and PostgreSQL tidies up after it, which no transaction may be around.
pytestmark = pytest.mark.django_db(transaction=True)


def shape():
    """The indexes and constraints of the tables that are filled."""
    with connection.cursor() as cursor:
        return {
            model: connection.introspection.get_constraints(cursor, model._meta.db_table)
            for model in (Lead, Contact, DecisionRecord)
        }


def asked(capsys, *arguments):
    call_command("benchmark", *arguments, "--repeats", "1", "--json")
    return json.loads(capsys.readouterr().out)["rows"]


def test_it_fills_an_empty_database_with_what_holds_the_invariants(capsys, api):
    before = shape()
    call_command("benchmark", "fill", "--contacts", "6000")
    assert Contact.objects.count() == DecisionRecord.objects.count() == 6000
    assert Contact.objects.filter(WAITING).count() == 500
    assert not Contact.objects.exclude(decisions__operator_id=None).filter(operator=None).exists()
    assert [result for result in check_all(records=6000) if result.breaches] == []
    assert shape() == before
    told = capsys.readouterr()
    assert told.out == "6000 contacts are there.\n"
    assert "contacts: 6000 of 6000\n" in told.err

    rows = asked(capsys, "admin")
    assert {status for row in rows for status in row["statuses"]} == {"200"}
    assert max(row["queries"] for row in rows) < 40
    for what in ("lists", "stats"):
        rows = asked(capsys, what)
        assert {status for row in rows for status in row["statuses"]} == {"200"}
        assert {row["count"] for row in rows} == {1}
        assert max(row["queries"] for row in rows) < 20

    # What comes next finds its number free.
    body = {"lead_external_id": "new", "source_code": "source-0"}
    newest = Contact.objects.order_by("pk").last().pk
    assert api.post("/contacts", body).json()["id"] > newest


def loads():
    """What triggers keep, and what is there."""
    kept = Load.objects.exclude(open_contacts=0).values_list("operator_id", "open_contacts")
    rows = Contact.objects.filter(closed_at=None).exclude(operator=None)
    return dict(kept), Counter(rows.values_list("operator_id", flat=True))


def test_firms_of_any_size_have_as_many_open_contacts_and_right_loads():
    for size in (5000, 7000):
        for model in (DecisionRecord, Contact, Lead, Assignment, Source, Operator):
            model.objects.all().delete()
        fill(size)
        assert Contact.objects.filter(WAITING).count() == 500
        kept, there = loads()
        assert kept == there
        assert there.total() == 4000
    # The triggers are back.
    Contact.objects.exclude(closed_at=None).filter(pk__lte=10).update(closed_at=None, status="new")
    kept, there = loads()
    assert kept == there
    assert there.total() > 4000


def test_too_small_a_disk_is_said_before_anything_is_written(monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10**9))
    with pytest.raises(CommandError, match=r"GB, and 1\.0 GB are free in /"):
        call_command("benchmark", "fill", "--contacts", "10000000")
    assert not Operator.objects.exists()


def test_the_same_seed_makes_the_same_contacts():
    def filled(seed):
        for model in (DecisionRecord, Contact, Lead, Assignment, Source, Operator):
            model.objects.all().delete()
        fill(1000, seed=seed)
        columns = ("lead__external_id", "source__code", "operator__name", "status")
        return list(Contact.objects.order_by("pk").values_list(*columns))

    first = filled(7)
    assert filled(7) == first
    assert filled(8) != first


@pytest.mark.postgres
def test_an_interrupted_filling_leaves_nothing_behind():
    before = shape()

    def interrupt(what, done, whole):
        if what == "decisions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(1000, progress=interrupt)
    assert shape() == before
    assert not Contact.objects.exists()
    assert not Lead.objects.exists()


def test_it_leaves_a_database_with_data_alone():
    LeadFactory()
    with pytest.raises(CommandError, match="has data"):
        call_command("benchmark", "fill")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fill", "--contacts", "10"], "from 1000"),
        (["admin", "--repeats", "0"], "from 1 to 1000"),
        (["admin"], "no superuser"),
        (["intake", "--seconds", "x"], "whole number"),
        (["intake", "--sources", "0,10"], "from 1 to 49"),
        (["scale", "--sizes", "1000,"], "whole number"),
        (["lists", "--json", "/nowhere/at/all.json"], "No such file"),
    ],
)
def test_bad_arguments_are_said(arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("benchmark", *arguments)
    assert not get_user_model().objects.exists()
