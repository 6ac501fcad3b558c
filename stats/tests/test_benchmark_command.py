"""The benchmark fills an empty database, and asks for what is measured in its own process."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from contacts.invariants import check_all
from contacts.models import WAITING, Contact, DecisionRecord
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
    assert api.post("/contacts", body).json()["id"] == 6001


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
        (["scale", "--sizes", "1000,"], "whole number"),
        (["lists", "--json", "/nowhere/at/all.json"], "No such file"),
    ],
)
def test_bad_arguments_are_said(arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command("benchmark", *arguments)
    assert not get_user_model().objects.exists()
