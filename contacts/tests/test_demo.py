"""The demo data: believable, repeatable, and only where there is nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.models import Count, F
from django.test import TestCase
from django.utils import timezone

from contacts.models import OPEN, WAITING, Contact
from contacts.tests.factories import ContactFactory
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _present_moment():
    with time_machine.travel(NOW, tick=False):
        yield


def demo(**options):
    out = StringIO()
    call_command("demo", stdout=out, **options)
    return out.getvalue()


def history():
    return list(
        Contact.objects.order_by("created_at").values_list(
            "lead__external_id", "source__code", "operator__name", "status", "message", "closed_at"
        )
    )


def clear():
    for model in (Contact, Lead, Source, Operator):
        model.objects.all().delete()


class TestTheFirm(TestCase):
    """Made once, as all of it takes seconds."""

    @classmethod
    def setUpTestData(cls):
        with time_machine.travel(NOW, tick=False):
            cls.out = demo()

    def test_a_small_firm_with_something_in_every_state(self):
        assert [model.objects.count() for model in (Operator, Source, Contact)] == [7, 5, 400]
        assert Operator.objects.filter(is_active=False).count() == 1
        codes = set(Source.objects.values_list("code", flat=True))
        assert {"telegram_bot", "whatsapp", "vk_group", "site_widget"} < codes
        assert "tg_main" not in codes
        states = Counter(Contact.objects.values_list("status", flat=True))
        assert states["new"] > 3
        assert states["in_progress"] > 3
        assert states["closed"] > 300
        assert Contact.objects.filter(WAITING).count() > 1
        assert Lead.objects.annotate(n=Count("contacts")).filter(n__gt=1).count() > 50
        assert "\r" not in self.out

    def test_nobody_is_above_the_limit(self):
        loads = Counter(
            Contact.objects.filter(OPEN, operator__gt=0).values_list("operator", flat=True)
        )
        limits = dict(Operator.objects.values_list("pk", "max_active_contacts"))
        assert all(load <= limits[operator] for operator, load in loads.items())

    def test_times_follow_one_another_within_three_weeks_and_opening_hours(self):
        contacts = list(Contact.objects.order_by("pk").select_related("lead"))
        created = [contact.created_at for contact in contacts]
        assert created == sorted(created)
        assert created[0] > NOW - timedelta(days=22)
        assert created[-1] <= NOW
        for contact in contacts:
            assert 9 <= timezone.localtime(contact.created_at).hour < 20
            assert contact.lead.created_at <= contact.created_at
            assert contact.closed_at is None or contact.created_at < contact.closed_at <= NOW
        assert not Contact.objects.filter(assigned_at__lt=F("created_at")).exists()


def test_the_seed_decides():
    demo(contacts=40, seed=7)
    first = history()
    clear()
    demo(contacts=40, seed=7)
    assert history() == first
    clear()
    demo(contacts=40, seed=8)
    assert history() != first


@pytest.mark.parametrize("hour", [1, 18, 23])
def test_something_is_open_at_every_hour(hour):
    with time_machine.travel(NOW.replace(hour=hour), tick=False):
        demo()
    assert 20 < Contact.objects.filter(OPEN).count() < 80


@pytest.mark.parametrize("factory", [OperatorFactory, SourceFactory, LeadFactory, ContactFactory])
def test_where_there_is_data_it_refuses(factory):
    factory()
    before = Operator.objects.count(), Source.objects.count(), Lead.objects.count()
    with pytest.raises(CommandError, match="not empty"):
        demo()
    assert (Operator.objects.count(), Source.objects.count(), Lead.objects.count()) == before


@pytest.mark.parametrize("contacts", [0, -1, 5001])
def test_a_senseless_number_of_contacts_is_refused(contacts):
    with pytest.raises(CommandError, match="from 1 to 5000"):
        demo(contacts=contacts)
    assert not Operator.objects.exists()


def test_one_contact_is_enough():
    demo(contacts=1)
    assert Contact.objects.count() == 1
