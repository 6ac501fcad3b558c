"""What is written to leads, and what is derived from it."""

from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from crm_project.errors import Conflict, StaleError
from crm_project.testing.queries import capture_sql
from leads import services
from leads.models import Lead
from leads.selectors import known_as, possible_duplicates
from leads.services import (
    LeadIsMerged,
    Profile,
    absorb_lead,
    find_or_create_leads,
    lock_people,
    update_lead,
)
from leads.tests.factories import LeadFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 26, tzinfo=UTC)
ANNA = {"phone": "8 (900) 000-01-02", "email": " Anna@Example.com"}
KEYS = ("+79000000102", "anna@example.com")


def find(external_id="lead:1", **profile):
    return find_or_create_leads({external_id: Profile(**profile)}, now=NOW)[external_id]


def keys(lead):
    return Lead.objects.values_list("phone_e164", "email_key").get(pk=lead.pk)


def test_a_new_lead_is_kept_as_it_came_and_found_by_its_keys():
    lead = Lead.objects.get(pk=find(**ANNA).pk)
    assert (lead.phone, lead.email) == (ANNA["phone"], ANNA["email"])
    assert keys(lead) == KEYS


def test_what_is_filled_later_has_its_keys_too():
    find(name="Анна")
    assert keys(find(**ANNA)) == KEYS


def test_a_region_is_a_setting(settings):
    settings.PHONE_REGION = "DE"
    assert keys(find(phone="030 123456")) == ("+4930123456", "")


def test_an_update_writes_what_changed_and_no_more():
    lead = find(name="Анна", **ANNA)
    Lead.objects.update(name="Анна П.", email="", email_key="")
    update_lead(lead, phone="+7 900 000-01-03")
    lead.refresh_from_db()
    assert (lead.name, lead.email) == ("Анна П.", "")
    assert keys(lead) == ("+79000000103", "")


def test_nothing_changed_is_nothing_written(django_assert_num_queries):
    lead = find()
    with django_assert_num_queries(0):
        update_lead(lead)


def test_a_merged_lead_is_not_updated():
    lead = LeadFactory(merged_into=LeadFactory())
    with pytest.raises(LeadIsMerged):
        update_lead(lead, name="Анна")
    assert not Lead.objects.exclude(name="").exists()


def test_a_merged_external_id_is_its_survivors():
    survivor = LeadFactory(external_id="new")
    LeadFactory(external_id="old", merged_into=survivor)
    leads = find_or_create_leads(
        {"old": Profile(name="Анна"), "new": Profile(name="Мария", phone="1"), "x": Profile()},
        now=NOW,
    )
    assert leads["old"] is leads["new"]
    survivor.refresh_from_db()
    assert (survivor.name, survivor.phone) == ("Анна", "1")
    assert Lead.objects.count() == 3
    assert Lead.objects.get(external_id="old").name == ""


def test_known_leads_take_two_queries_and_merged_ones_one_more(django_assert_num_queries):
    LeadFactory(external_id="old", merged_into=LeadFactory(external_id="new"))
    with django_assert_num_queries(2):
        find("new")
    with django_assert_num_queries(3):
        find("old")


def test_a_lead_cannot_be_its_own_survivor():
    lead = LeadFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Lead.objects.update(merged_into=lead)


@pytest.mark.postgres
def test_the_leads_are_locked_in_their_order():
    (sql,) = [each for each in capture_sql(find) if "FOR NO KEY UPDATE" in each]
    assert 'ORDER BY "leads_lead"."id" ASC FOR NO KEY UPDATE' in sql


class TestDuplicates:
    def of(self, lead, most=20):
        return [each.lead for each in possible_duplicates(lead, most=most)]

    def test_they_say_what_is_the_same(self):
        lead = LeadFactory(**ANNA)
        LeadFactory(phone="+79000000102")
        LeadFactory(**ANNA)
        found = possible_duplicates(lead, most=20)
        assert [(each.same_phone, each.same_email) for each in found] == [
            (True, True),
            (True, False),
        ]

    def test_they_have_the_same_phone_or_address_however_written(self):
        lead = LeadFactory(**ANNA)
        by_phone = LeadFactory(phone="+79000000102")
        by_email = LeadFactory(email="ANNA@example.COM")
        LeadFactory(phone="+7 900 000-01-03", email="maria@example.com")
        assert self.of(lead) == [by_email, by_phone]

    def test_who_is_not_known_by_either_has_none(self):
        lead = LeadFactory(phone="12345", email="нет")
        LeadFactory(phone="12345", email="нет")
        assert self.of(lead) == []

    def test_what_was_merged_into_either_of_them_counts_as_theirs(self):
        lead, other = LeadFactory(), LeadFactory()
        LeadFactory(phone="+79000000102", merged_into=lead)
        LeadFactory(phone="89000000102", merged_into=other)
        assert self.of(lead) == [other]
        assert self.of(other) == [lead]

    def test_they_are_bounded_in_number_and_queries(self, django_assert_num_queries):
        lead = LeadFactory(**ANNA)
        others = LeadFactory.create_batch(5, **ANNA)
        with django_assert_num_queries(4):
            assert self.of(lead, most=3) == others[:1:-1]


def test_old_rows_get_their_keys_by_the_migration(monkeypatch):
    empty, *_others = LeadFactory.create_batch(4)
    lead = LeadFactory(**ANNA)
    Lead.objects.update(phone_e164="", email_key="")
    migration = import_module("leads.migrations.0003_fill_identity")
    monkeypatch.setattr(migration, "BATCH", 2)
    migration.fill(apps, SimpleNamespace(connection=connection))
    assert (keys(lead), keys(empty)) == (KEYS, ("", ""))


def test_what_is_known_whole_is_looked_up_in_the_indexes_alone():
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    for term, index in ((KEYS[0], "lead_by_phone_e164"), (KEYS[1], "lead_by_email_key")):
        plan = known_as(term).order_by().explain()
        assert index in plan
        assert "SCAN leads_lead" not in plan


@pytest.mark.postgres
def test_a_role_that_may_not_create_extensions_can_migrate(monkeypatch):
    migration = import_module("leads.migrations.0004_search_by_parts")
    monkeypatch.setattr(migration, "EXTENSION", "CREATE EXTENSION no_such_extension")
    with connection.schema_editor() as editor:
        migration.build(apps, editor)
    LeadFactory(name="Анна")
    assert Lead.objects.filter(name__icontains="анна").count() == 1


def test_a_change_that_rests_on_what_is_no_longer_so_is_a_conflict():
    lead = LeadFactory(name="Анна")
    update_lead(lead, name="Анна П.", expected={"name": "Анна"})
    with pytest.raises(Conflict):
        update_lead(lead, name="Анна Р.", expected={"name": "Анна"})
    lead.refresh_from_db()
    assert lead.name == "Анна П."


def test_whoever_is_merged_into_the_merged_one_meanwhile_makes_it_begin_again(monkeypatch):
    survivor, merged = LeadFactory.create_batch(2)
    lock = services._lock

    def lock_then_another_follows(wanted):
        found = lock(wanted)
        LeadFactory(merged_into=merged)
        return found

    monkeypatch.setattr(services, "_lock", lock_then_another_follows)
    with pytest.raises(StaleError):
        absorb_lead(survivor.pk, merged.pk)


def test_who_is_merged_away_meanwhile_is_not_locked_as_a_person(monkeypatch):
    survivor, lead = LeadFactory.create_batch(2)
    lock = services._lock

    def lock_then_it_is_merged(wanted):
        found = lock(wanted)
        Lead.objects.filter(pk=lead.pk).update(merged_into=survivor)
        return found

    monkeypatch.setattr(services, "_lock", lock_then_it_is_merged)
    with pytest.raises(StaleError):
        lock_people([lead.pk])
