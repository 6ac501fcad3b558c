"""The loads that triggers keep are the counts, whatever writes contacts."""

from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from contacts.models import OPEN, Contact, Load
from contacts.tests.factories import ContactFactory
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import SourceFactory


def counted():
    opened = Contact.objects.filter(OPEN, operator__isnull=False).order_by()
    return Counter(opened.values_list("operator", flat=True))


def kept():
    return Counter(dict(Load.objects.values_list("operator", "open_contacts")))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["one", "many", "close", "reopen", "move", "delete"]), st.integers(0)
    ),
    max_size=25,
)


class TestWhateverWrites(TestCase):
    @given(STEPS)
    def test_they_are_the_counts(self, steps):
        source, lead = SourceFactory(), LeadFactory()
        operators = OperatorFactory.create_batch(3)
        assigned = {"source": source, "lead": lead, "assigned_at": timezone.now()}
        for step, number in steps:
            operator = operators[number % 3]
            some = Contact.objects.filter(pk__in=Contact.objects.values("pk")[: 1 + number % 4])
            match step:
                case "one":
                    ContactFactory(source=source, lead=lead, operator=operator)
                case "many":
                    Contact.objects.bulk_create(
                        Contact(operator=each, **assigned) for each in [operator, *operators]
                    )
                case "close":
                    some.update(status="closed", closed_at=timezone.now(), waiting_since=None)
                case "reopen":
                    some.update(status="new", closed_at=None)
                case "move":
                    some.update(operator=operator)
                case "delete":
                    some.delete()
            assert +kept() == counted()


@pytest.mark.django_db
def test_all_triggers_are_there():
    # SQLite loses them where a migration makes the table anew.
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        names = {name for (name,) in cursor.fetchall()}
    assert names >= {"contact_load_insert", "contact_load_update", "contact_load_delete"}


@pytest.mark.django_db
def test_who_is_deleted_leaves_no_load():
    operator = OperatorFactory()
    ContactFactory(operator=operator).delete()
    assert kept() == {operator.pk: 0}
    operator.delete()
    assert kept() == {}
