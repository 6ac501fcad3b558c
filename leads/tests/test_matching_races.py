"""New ids of somebody known by phone, on PostgreSQL, while that lead is merged or erased."""

import pytest

from contacts.conversations import receive
from contacts.erasing import erase_lead
from contacts.merging import merge_leads
from contacts.models import Contact
from contacts.services import Inquiry, create_contact, create_contacts
from crm_project.testing.threads import at_once
from leads.models import Lead
from leads.services import Profile
from leads.tests.factories import LeadFactory
from sources.channels.protocol import Incoming
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PHONE = "+79000000102"
ANNA = Profile(phone=PHONE)


@pytest.fixture
def source(settings):
    settings.MATCH_LEADS = ["phone"]
    source = SourceFactory(code="tg", reuse_open_contact=True)
    return AssignmentFactory(source=source, operator__max_active_contacts=1000).source


@pytest.fixture
def anna():
    return LeadFactory(external_id="tg:1", phone=PHONE)


def arrivals(source, number):
    """One by one, many together and by the channel; some ids twice."""
    return [
        call
        for each in range(number)
        for call in (
            lambda each=each: create_contact(Inquiry(source, f"vk:{each // 2}", "", ANNA)),
            lambda each=each: create_contacts([Inquiry(source, f"wa:{each // 2}", "", ANNA)]),
            lambda each=each: receive(source, Incoming(None, f"vk:{each // 2}", phone=PHONE)),
        )
    ]


def owners():
    return set(Contact.objects.values_list("lead", flat=True))


def test_many_at_once_are_all_the_one_lead(source, anna):
    _, errors = at_once(arrivals(source, 16), 16)
    assert errors == []
    assert owners() == {anna.pk}
    assert set(Lead.objects.exclude(pk=anna.pk).values_list("merged_into", flat=True)) == {anna.pk}


def test_a_merge_meanwhile_takes_all_of_them_along(source, anna):
    survivor = LeadFactory(external_id="tg:0")
    calls = arrivals(source, 16)
    calls.insert(17, lambda: merge_leads(survivor_id=survivor.pk, merged_id=anna.pk))
    _, errors = at_once(calls, 16)
    assert errors == []
    assert owners() == {survivor.pk}
    assert not Lead.objects.exclude(pk=survivor.pk).exclude(merged_into=survivor).exists()


def test_whose_data_are_erased_meanwhile_is_somebody_new_afterwards(source, anna):
    calls = arrivals(source, 16)
    calls.insert(0, lambda: erase_lead(anna.pk))
    _, errors = at_once(calls, 16)
    assert [type(each).__name__ for each in errors] in ([], ["HasOpenContacts"])
    anna.refresh_from_db()
    # Either before all of them, or not at all.
    assert anna.erased_at is None or anna.pk not in owners()


def test_two_who_are_nobody_yet_may_become_two_leads_but_never_an_error(source):
    for number in range(10):
        phone = f"+7900000{number:04}"
        pair = [
            lambda name=name, phone=phone: create_contact(
                Inquiry(source, f"{name}:{phone}", "", Profile(phone=phone))
            )
            for name in ("vk", "wa")
        ]
        _, errors = at_once(pair, 2)
        assert errors == []
    assert Contact.objects.count() == 20
    assert 10 <= len(owners()) <= 20
