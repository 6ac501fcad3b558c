"""Leads known by phone or e-mail as well, where the setting says so."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from contacts.conversations import receive
from contacts.erasing import erase_lead
from contacts.merging import merge_leads
from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from crm_project.environment import Environment
from crm_project.errors import StaleError
from crm_project.testing.queries import capture_sql
from leads import matching, services
from leads.models import Lead
from leads.services import Profile, erase_profiles, find_or_create_leads
from leads.tests.factories import LeadFactory
from operators.tests.people import make_operator
from sources.channels.protocol import Incoming
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db

PHONE, EMAIL = "+7 900 000-01-02", "Anna@Example.com"


@pytest.fixture(autouse=True)
def source():
    return AssignmentFactory(
        source=SourceFactory(code="tg"), operator__max_active_contacts=99
    ).source


@pytest.fixture
def both(settings):
    settings.MATCH_LEADS = ["phone", "email"]


@pytest.fixture
def anna():
    return known("tg:1", phone="8 900 0000102", email="anna@example.com")


def known(external_id, **profile):
    profiles = {external_id: Profile(**profile)}
    return find_or_create_leads(profiles, now=timezone.now())[external_id]


@pytest.fixture
def write(api):
    """Let somebody write by the API; whose the contact is."""

    def post(external_id, **profile):
        body = {"lead_external_id": external_id, "source_code": "tg"}
        answer = api.post("/contacts", body | {f"lead_{k}": v for k, v in profile.items()})
        assert answer.status_code == 201, answer.content
        return answer.json()["lead_id"]

    return post


def test_by_default_only_the_external_id_counts(anna, write):
    assert write("vk:1", phone=PHONE, email=EMAIL) != anna.pk


@pytest.mark.parametrize(
    ("match", "profile"),
    [(["phone"], {"phone": PHONE}), (["email"], {"email": EMAIL})],
)
def test_a_new_id_with_the_phone_or_the_address_of_one_lead_is_that_leads(
    anna, write, settings, match, profile
):
    settings.MATCH_LEADS = match
    assert write("vk:1", **profile) == anna.pk
    # From then on without them.
    assert write("vk:1") == anna.pk
    alias = Lead.objects.get(external_id="vk:1")
    assert (alias.merged_into, alias.contacts.count()) == (anna, 0)
    assert Lead.objects.count() == 2


def test_only_what_the_setting_names_counts(anna, write, settings):
    settings.MATCH_LEADS = ["email"]
    assert write("vk:1", phone=PHONE) != anna.pk


def test_an_id_that_is_known_stays_whose_it_is(anna, write, both):
    other = LeadFactory(external_id="vk:1")
    assert write("vk:1", phone=PHONE) == other.pk


def test_where_two_are_known_by_it_nothing_is_guessed(anna, write, both):
    known_too = LeadFactory(external_id="wa:1", phone=PHONE, phone_e164="+79000000102")
    assert write("vk:1", phone=PHONE) not in (anna.pk, known_too.pk)


def test_a_phone_and_an_address_of_different_leads_are_nobodys(anna, write, both):
    boris = known("tg:2", email="boris@example.com")
    assert write("vk:1", email="boris@example.com", phone="+7 900 000-09-09") == boris.pk
    assert write("vk:2", phone=PHONE, email="boris@example.com") not in (anna.pk, boris.pk)


def test_what_was_merged_into_a_lead_is_known_by_as_well(anna, write, both):
    other = LeadFactory(phone="+79000000909", phone_e164="+79000000909")
    merge_leads(survivor_id=anna.pk, merged_id=other.pk)
    assert write("vk:1", phone="+79000000909") == anna.pk


def test_what_is_lacking_is_filled_and_what_came_is_kept(anna, write, both):
    write("vk:1", name="Анна", phone=PHONE)
    anna.refresh_from_db()
    assert (anna.name, anna.phone) == ("Анна", "8 900 0000102")
    assert Lead.objects.get(external_id="vk:1").phone == PHONE


def test_whose_data_are_erased_is_nobody_and_the_alias_goes_along(anna, write, both):
    write("vk:1", phone=PHONE)
    erase_lead(anna.pk, close=True)
    assert not Lead.objects.filter(external_id="vk:1").exists()
    assert write("vk:1", phone=PHONE) != anna.pk


def test_a_merge_takes_an_alias_along(anna, write, both):
    write("vk:1", phone=PHONE)
    survivor = LeadFactory()
    merge_leads(survivor_id=survivor.pk, merged_id=anna.pk)
    assert write("vk:1") == survivor.pk


def test_many_at_once_are_matched_as_if_they_came_one_by_one(anna, api, both):
    def item(external_id, phone=""):
        return {"lead_external_id": external_id, "source_code": "tg", "lead_phone": phone}

    new = "+7 900 000-03-03"
    items = [item("vk:1", PHONE), item("z:1", new), item("a:1", new), item("b:1"), item("z:1")]
    answer = api.post("/contacts/bulk", {"contacts": items})
    first, second, third, fourth, fifth = (
        each["contact"]["lead_id"] for each in answer.json()["results"]
    )
    assert first == anna.pk
    assert second == third == fifth != fourth
    assert Lead.objects.get(pk=second).external_id == "z:1"


@pytest.mark.parametrize("reuse", [True, False])
def test_who_writes_by_a_channel_is_matched_too(anna, source, both, reuse):
    source.reuse_open_contact = reuse
    for event in ("1", "2"):
        receive(source, Incoming(event, "telegram:42", "раз", phone=PHONE))
    assert set(Contact.objects.values_list("lead", flat=True)) == {anna.pk}
    assert Contact.objects.count() == (1 if reuse else 2)


def test_a_number_that_very_many_have_is_nobodys(write, both, monkeypatch):
    monkeypatch.setattr(matching, "MOST", 3)
    first = write("id:0", phone=PHONE)
    assert {write(f"id:{number}", phone=PHONE) for number in range(1, 4)} == {first}
    assert write("id:9", phone=PHONE) != first


def test_with_the_setting_off_nothing_more_is_asked(write, settings):
    off = len(capture_sql(lambda: write("vk:1", phone=PHONE)))
    settings.MATCH_LEADS = ["phone"]
    on = len(capture_sql(lambda: write("vk:2", phone="+7 900 000-04-04")))
    assert on == off + 2
    # Whose id is known costs one, who tells nothing to be known by none.
    assert len(capture_sql(lambda: write("vk:1", phone=PHONE))) == off + 1
    assert len(capture_sql(lambda: write("vk:3"))) == off


def test_the_setting_takes_only_what_can_be_matched(monkeypatch):
    read = Environment("/dev/null").some_of
    monkeypatch.setenv("CRM_MATCH_LEADS", "phone, name")
    with pytest.raises(ImproperlyConfigured, match="phone and email, not 'name'"):
        read("CRM_MATCH_LEADS", ["phone", "email"])
    monkeypatch.setenv("CRM_MATCH_LEADS", "phone, email")
    assert read("CRM_MATCH_LEADS", ["phone", "email"]) == ["phone", "email"]
    monkeypatch.setenv("CRM_MATCH_LEADS", "")
    assert read("CRM_MATCH_LEADS", ["phone", "email"]) == []


def test_a_lead_tells_who_may_be_the_same_person(api, anna):
    by_phone = LeadFactory(phone=PHONE)
    by_both = LeadFactory(phone=PHONE, email=EMAIL)
    LeadFactory(phone="+79000000909")
    assert api.get(f"/leads/{anna.pk}").json()["possible_duplicates"] == [
        {"lead_id": by_both.pk, "same_phone": True, "same_email": True},
        {"lead_id": by_phone.pk, "same_phone": True, "same_email": False},
    ]


def test_an_operator_is_told_of_those_he_or_she_may_see(client, anna):
    operator = make_operator("Вера")
    hers, _others = LeadFactory.create_batch(2, phone=PHONE)
    for lead in (anna, hers):
        ContactFactory(lead=lead, operator=operator)
    client.force_login(operator.user)
    told = client.get(f"/leads/{anna.pk}").json()["possible_duplicates"]
    assert [each["lead_id"] for each in told] == [hers.pk]


def test_who_may_be_the_same_costs_no_more_for_many(api, anna, django_assert_max_num_queries):
    LeadFactory.create_batch(30, phone=PHONE, email=EMAIL)
    with django_assert_max_num_queries(7):
        assert len(api.get(f"/leads/{anna.pk}").json()["possible_duplicates"]) == 20


@pytest.mark.usefixtures("both")
def test_who_is_erased_once_recognised_is_looked_for_again(anna, monkeypatch):
    recognise = services.make_aliases

    def recognise_and_lose(leads):
        aliases = recognise(leads)
        erase_profiles(Lead.objects.filter(pk=anna.pk), now=timezone.now())
        return aliases

    monkeypatch.setattr(services, "make_aliases", recognise_and_lose)
    with pytest.raises(StaleError):
        known("site:1", phone=PHONE)
