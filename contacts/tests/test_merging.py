"""Two leads become one: nothing is lost, and what comes later reaches the survivor."""

import threading
from contextlib import suppress
from functools import partial

import pytest
from django.db import transaction
from django.db.models import Q

from contacts import locks
from contacts.invariants import check_all
from contacts.merging import merge_leads
from contacts.models import Contact, DecisionRecord
from contacts.services import Inquiry, change_status, create_contact, create_contacts
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrival_amid, arrive, serve
from crm_project.errors import Busy
from crm_project.testing.threads import at_once, until_somebody_waits
from leads import services as lead_services
from leads.models import Lead
from leads.selectors import survivors_of
from leads.services import LeadIsMerged, SameLead
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def merge(survivor, merged):
    return merge_leads(survivor_id=survivor.pk, merged_id=merged.pk)


def breaches():
    return [each.breaches for each in check_all(records=100, pause=lambda: None) if each.breaches]


def test_the_contacts_of_every_source_move_and_keep_all_else():
    survivor, merged, stranger = LeadFactory.create_batch(3)
    for lead in (merged, merged, survivor, stranger):
        ContactFactory(lead=lead, message=f"{lead.pk}")
    before = list(Contact.objects.order_by("pk").values("message", "source", "status"))
    done = merge(survivor, merged)
    assert (done.survivor, done.contacts) == (survivor, 2)
    assert list(Contact.objects.order_by("pk").values("message", "source", "status")) == before
    assert [survivor.contacts.count(), merged.contacts.count(), stranger.contacts.count()] == [
        3,
        0,
        1,
    ]
    assert not breaches()


def test_the_merged_row_stays_as_it_was_and_fills_what_the_survivor_lacks():
    survivor = LeadFactory(name="Анна", email="anna@example.com")
    merged = LeadFactory(name="А. Щукина", phone="8 900 000-01-02", email="a@example.com")
    before = Lead.objects.filter(pk=merged.pk).values().get()
    merge(survivor, merged)
    survivor.refresh_from_db()
    assert (survivor.name, survivor.phone, survivor.phone_e164, survivor.email) == (
        "Анна",
        "8 900 000-01-02",
        "+79000000102",
        "anna@example.com",
    )
    after = Lead.objects.filter(pk=merged.pk).values().get()
    assert after == before | {"merged_into_id": survivor.pk}


def test_chains_are_flattened():
    first, second, third = LeadFactory.create_batch(3)
    contact = ContactFactory(lead=first)
    merge(second, first)
    merge(third, second)
    assert set(Lead.objects.values_list("pk", "merged_into")) == {
        (first.pk, third.pk),
        (second.pk, third.pk),
        (third.pk, None),
    }
    contact.refresh_from_db()
    assert contact.lead == third
    assert arrive(SourceFactory(), first.external_id)[0].lead == third


def test_an_inquiry_with_the_old_external_id_reaches_the_survivor_by_few_queries(
    django_assert_max_num_queries,
):
    survivor, merged = LeadFactory.create_batch(2)
    merge(survivor, merged)
    source = SourceFactory()
    serve(source, max_active_contacts=9)
    with django_assert_max_num_queries(8):
        assert arrive(source, survivor.external_id)[0].lead == survivor
    # What the short way has begun for nothing is among them.
    with django_assert_max_num_queries(16):
        assert arrive(source, merged.external_id)[0].lead == survivor
    both = [Inquiry(source, each.external_id) for each in (merged, survivor)]
    assert [contact.lead for contact, _ in create_contacts(both)] == [survivor, survivor]


def test_a_sticky_source_follows_the_contacts_that_moved():
    source = SourceFactory(sticky=True)
    serve(source, weight=1000)
    favourite = serve(source)
    survivor, merged = LeadFactory.create_batch(2)
    ContactFactory(lead=merged, source=source, operator=favourite)
    merge(survivor, merged)
    for lead in (survivor, merged):
        assert arrive(source, lead.external_id, draw=lambda: 0.0)[0].operator == favourite


def test_what_cannot_be_merged_is_refused_in_words():
    survivor, merged, other = LeadFactory.create_batch(3)
    merge(survivor, merged)
    for pair, error in [
        ((survivor, survivor), SameLead),
        ((survivor, merged), LeadIsMerged),
        ((other, merged), LeadIsMerged),
        ((merged, other), LeadIsMerged),
        ((survivor, LeadFactory.build(pk=0)), Lead.DoesNotExist),
    ]:
        with pytest.raises(error):
            merge(*pair)
    assert Lead.objects.filter(merged_into=None).count() == 2


def test_the_history_of_the_decisions_moves_along_untouched():
    survivor, merged = LeadFactory.create_batch(2)
    source = SourceFactory()
    serve(source)
    contact, _ = arrive(source, merged.external_id)
    before = list(DecisionRecord.objects.values())
    merge(survivor, merged)
    assert list(DecisionRecord.objects.values()) == before
    assert contact.decisions.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda first, second: ContactFactory(lead=first),
        lambda first, second: Lead.objects.filter(pk=second.pk).update(merged_into=LeadFactory()),
    ],
)
def test_a_contact_at_a_merged_lead_and_a_chain_are_breaches(spoil):
    first, second = LeadFactory.create_batch(2)
    merge(second, first)
    assert not breaches()
    spoil(first, second)
    assert breaches() == [[f"lead {first.pk}"]]


class TestApi:
    @pytest.fixture
    def pair(self):
        survivor, merged = LeadFactory(external_id="new"), LeadFactory(external_id="old")
        ContactFactory(lead=merged)
        merge(survivor, merged)
        return survivor, merged

    def test_the_list_has_the_survivor_alone_by_either_external_id(self, api, pair):
        for query in ("", "?external_id=new", "?external_id=old"):
            found = api.get(f"/leads{query}").json()["results"]
            assert [each["id"] for each in found] == [pair[0].pk]
        assert api.get("/leads?external_id=none").json()["results"] == []

    def test_the_old_address_of_a_merged_lead_answers_the_survivor(self, api, pair):
        survivor, merged = (api.get(f"/leads/{lead.pk}").json() for lead in pair)
        assert merged == survivor
        assert (survivor["id"], len(survivor["contacts"])) == (pair[0].pk, 1)

    def test_contacts_are_found_by_the_old_id_of_their_lead_too(self, api, pair):
        for lead in pair:
            assert len(api.get(f"/contacts?lead_id={lead.pk}").json()["results"]) == 1
        assert api.get("/contacts?lead_id=999999").json()["results"] == []

    def test_the_statistics_count_people(self, api, pair):
        assert api.get("/stats").json()["total_leads"] == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestRaces:
    def arrival_amid_merge(self, monkeypatch, *, locking):
        """Where the contact ends that found its lead just before that was merged."""
        survivor, merged = LeadFactory.create_batch(2)
        change = partial(merge, survivor, merged)
        errors = arrival_amid(change, merged.external_id, monkeypatch, locking=locking)
        assert errors == []
        return "survivor" if Contact.objects.get().lead == survivor else "merged"

    def test_a_merge_waits_for_an_arrival_that_has_found_the_lead(self, monkeypatch):
        assert self.arrival_amid_merge(monkeypatch, locking=True) == "survivor"
        assert not breaches()

    def test_without_the_lock_the_contact_would_be_left_behind(self, monkeypatch):
        # Guards the test above: if this one fails, that one proves nothing.
        assert self.arrival_amid_merge(monkeypatch, locking=False) == "merged"

    @pytest.fixture
    def slow_merge(self, monkeypatch):
        """A merge stops between locking its leads and writing them until somebody waits."""
        locked = threading.Event()

        def lock(which):
            leads = real(which)
            if not locked.is_set():
                locked.set()
                until_somebody_waits()
            return leads

        real = lead_services._lock
        monkeypatch.setattr(lead_services, "_lock", lock)
        return locked

    def arrival_amid_slow_merge(self, locked):
        survivor, merged = LeadFactory.create_batch(2)
        source = SourceFactory()

        def arrive_late():
            locked.wait(timeout=10)
            return arrive(source, merged.external_id)

        _, errors = at_once([lambda: merge(survivor, merged), arrive_late], 2)
        assert errors == []
        return "survivor" if Contact.objects.get().lead == survivor else "merged"

    def test_an_arrival_that_waited_for_a_merge_goes_to_the_survivor(self, slow_merge):
        assert self.arrival_amid_slow_merge(slow_merge) == "survivor"

    def test_without_beginning_again_it_would_go_to_the_merged(self, slow_merge, monkeypatch):
        # Guards the test above: the statement that waited still knows the lead as it was.
        def trusting(external_ids):
            known = Lead.objects.filter(external_id__in=external_ids)
            locked = lead_services._lock(Q(pk__in=survivors_of(known)))
            return {lead.external_id: lead for lead in locked.values()}

        monkeypatch.setattr(lead_services, "_lock_survivors", trusting)
        assert self.arrival_amid_slow_merge(slow_merge) == "merged"

    def test_a_contact_that_somebody_works_on_is_waited_for_without_a_lock(self, monkeypatch):
        """Who holds a contact may wait for another of the same lead: that must not be us."""
        survivor, merged = LeadFactory.create_batch(2)
        other, held = ContactFactory.create_batch(2, lead=merged)
        holding, tried = threading.Event(), threading.Event()

        def work():
            with transaction.atomic():
                list(Contact.objects.select_for_update(no_key=True).filter(pk=held.pk))
                holding.set()
                tried.wait(timeout=2)
                list(Contact.objects.select_for_update(no_key=True).filter(pk=other.pk))

        def sleep(seconds):
            tried.set()
            threading.Event().wait(seconds)

        def merge_meanwhile():
            holding.wait(timeout=10)
            return merge(survivor, merged)

        monkeypatch.setattr(locks.time, "sleep", sleep)
        results, errors = at_once([work, merge_meanwhile], 2)
        assert errors == []
        assert results[1].contacts == 2

    def test_a_close_that_waited_for_the_move_finds_its_contact(self):
        survivor, merged = LeadFactory.create_batch(2)
        contact = ContactFactory(lead=merged)
        moved = threading.Event()

        def hold():
            with transaction.atomic():
                merge(survivor, merged)
                moved.set()
                until_somebody_waits()

        def close():
            moved.wait(timeout=10)
            return change_status(contact.pk, status="closed")

        results, errors = at_once([hold, close], 2)
        assert errors == []
        assert (results[1].status, results[1].lead) == ("closed", survivor)

    def test_a_contact_held_for_seconds_makes_the_merge_give_up(self, monkeypatch):
        monkeypatch.setattr(locks, "ATTEMPTS", 2)
        survivor, merged = LeadFactory.create_batch(2)
        held = ContactFactory(lead=merged)
        with transaction.atomic():
            list(Contact.objects.select_for_update(no_key=True).filter(pk=held.pk))
            _, errors = at_once([lambda: merge(survivor, merged)], 1)
        assert [type(error) for error in errors] == [Busy]
        assert not Lead.objects.filter(merged_into__isnull=False).exists()

    def test_crossing_merges_and_arrivals_neither_deadlock_nor_lose_a_contact(self):
        """Chains grow while inquiries of every id arrive, in bulk too, and others are closed."""
        source = SourceFactory()
        serve(source, max_active_contacts=10_000)
        leads = LeadFactory.create_batch(12)
        names = [lead.external_id for lead in leads]

        def merge_some(one, other):
            # Two ways may lead to the same merge.
            with suppress(LeadIsMerged):
                merge(one, other)

        def close_some(name):
            contact, _ = create_contact(Inquiry(source, name))
            change_status(contact.pk, status="closed")

        calls = []
        for number in range(1, 12):
            one, other = leads[number], leads[number - 1]
            calls.append(lambda o=one, n=other: merge_some(o, n))
            calls.append(lambda o=one, n=other: merge_some(n, o))
            calls.append(lambda: create_contacts([Inquiry(source, each) for each in names]))
            calls.append(lambda n=number: close_some(names[n]))
        _, errors = at_once(calls, 8)
        assert errors == []
        assert Contact.objects.count() == 11 * 12 + 11
        assert not breaches()
