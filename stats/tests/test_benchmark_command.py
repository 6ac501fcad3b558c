"""The benchmark fills an empty database, and asks for the pages of the back office."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from contacts.invariants import check_all
from contacts.models import WAITING, Contact
from leads.tests.factories import LeadFactory

pytestmark = pytest.mark.django_db


def test_it_fills_an_empty_database_with_what_holds_the_invariants(capsys):
    call_command("benchmark", "fill", "--contacts", "6000")
    assert Contact.objects.count() == 6000
    assert Contact.objects.filter(WAITING).count() == 500
    assert [result for result in check_all(records=1000) if result.breaches] == []
    call_command("benchmark", "admin", "--repeats", "1", "--json")
    rows = json.loads(capsys.readouterr().out.split("there.\n")[1])
    assert {row["status"] for row in rows} == {200}
    assert max(row["queries"] for row in rows) < 40


def test_it_leaves_a_database_with_data_alone():
    LeadFactory()
    with pytest.raises(CommandError, match="has data"):
        call_command("benchmark", "fill")


@pytest.mark.parametrize(
    "arguments", [["fill", "--contacts", "10"], ["admin", "--repeats", "0"], ["admin"]]
)
def test_bad_arguments_are_said(arguments):
    with pytest.raises(CommandError):
        call_command("benchmark", *arguments)
    assert not get_user_model().objects.exists()
