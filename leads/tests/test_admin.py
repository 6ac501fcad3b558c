"""The back office shows a person whole, and makes one of two."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from contacts import locks
from contacts.merging import merge_leads
from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from crm_project.audit.services import changes_of
from crm_project.testing.forms import filled
from crm_project.testing.queries import capture_sql
from crm_project.testing.threads import elsewhere
from leads.models import Lead
from leads.services import update_lead
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/leads/lead/"
ANNA = {"name": "Анна Щукина", "phone": "8 (900) 000-01-02", "email": "Anna@Example.com"}


def user(*permissions):
    new = get_user_model().objects.create_user("clerk", is_staff=True)
    new.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return new


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


@pytest.fixture
def clerk(client):
    client.force_login(user("view_lead"))
    return client


def page_of(lead):
    return f"{LIST}{lead.pk}/change/"


def merge_page(*pair):
    return LIST + "{}/merge/{}/".format(*(lead.pk for lead in pair))


def found(client, term):
    page = client.get(LIST, {"q": term})
    return [lead.pk for lead in page.context["cl"].result_list]


def messages(response):
    return [str(message) for message in response.context["messages"]]


class TestSearch:
    @pytest.mark.parametrize(
        "term",
        [
            "щук",
            "ЩУКИНА анна",
            "+7 900 000 01 02",
            "9000000102",
            "0000102",
            "000-01",
            "ANNA@example.com",
            "anna@EX",
            "tg:77",
            "g:7",
            " tg:77 ",
        ],
    )
    def test_a_lead_is_found_by_any_of_its_data_in_any_case(self, admin, term):
        lead = LeadFactory(external_id="tg:77", **ANNA)
        LeadFactory(external_id="vk:1", name="Мария", phone="+79991112233", email="m@x.ru")
        assert found(admin, term) == [lead.pk]

    def test_a_merged_one_is_found_as_its_survivor_and_not_listed(self, admin):
        survivor = LeadFactory()
        LeadFactory(external_id="tg:77", merged_into=survivor, **ANNA)
        for term in ("", "tg:77", "+79000000102", "anna@example.com"):
            assert found(admin, term) == [survivor.pk]

    def test_what_is_known_whole_is_found_without_reading_the_table(self, admin):
        LeadFactory(external_id="tg:77", **ANNA)
        for term in ("tg:77", "8 900 000-01-02", "anna@example.com"):
            assert not [sql for sql in capture_sql(lambda t=term: found(admin, t)) if "LIKE" in sql]

    def test_an_external_id_that_is_somebodys_name_hides_nobody(self, admin):
        LeadFactory(external_id="Анна")
        LeadFactory(name="Анна")
        assert len(found(admin, "Анна")) == 2


class TestProfile:
    def test_the_contacts_of_all_sources_stand_in_one_line_of_time(self, admin):
        lead = LeadFactory()
        operator = OperatorFactory(name="Вера")
        ContactFactory(lead=lead, source__name="Сайт", message="первое", operator=operator)
        ContactFactory(lead=lead, source__name="Чат", message="второе", status="closed")
        ContactFactory(message="чужое")
        page = admin.get(page_of(lead)).content.decode()
        places = [page.index(word) for word in ("второе", "первое")]
        assert places == sorted(places)
        assert all(word in page for word in ("Сайт", "Чат", "Вера"))
        assert "чужое" not in page
        assert f"/admin/contacts/contact/{lead.contacts.first().pk}/change/" in page

    def test_it_is_bounded_in_rows_and_queries(self, admin, django_assert_max_num_queries):
        lead = LeadFactory(**ANNA)
        for number in range(30):
            ContactFactory(lead=lead, operator=OperatorFactory(), message="м" * 10_000)
            ContactFactory(lead=LeadFactory(**ANNA))
            LeadFactory(merged_into=lead, phone=f"+7900000{number:04}")
        # The log of the form asks for it, once in the life of a process.
        ContentType.objects.get_for_model(Lead)
        with django_assert_max_num_queries(11):
            page = admin.get(page_of(lead))
        assert len(page.context["duplicates"]) == 20
        assert "м" * 200 not in page.content.decode()

    def test_beyond_the_newest_hundred_the_contacts_are_a_list(self, admin):
        lead = LeadFactory()
        ContactFactory.create_batch(99, lead=lead)
        link = f"/admin/contacts/contact/?lead__id__exact={lead.pk}"
        assert link not in admin.get(page_of(lead)).content.decode()
        ContactFactory.create_batch(2, lead=lead)
        page = admin.get(page_of(lead))
        assert len(page.context["contacts"]) == 100
        assert link in page.content.decode()
        assert admin.get(link).status_code == 200

    def test_possible_duplicates_lead_to_merging(self, admin):
        lead, other = LeadFactory.create_batch(2, **ANNA)
        ContactFactory(lead=other)
        page = admin.get(page_of(lead))
        assert merge_page(lead, other) in page.content.decode()
        assert [count for _, count in page.context["duplicates"]] == [1]

    def test_a_merged_lead_leads_to_its_survivor_and_cannot_be_changed(self, admin):
        survivor, merged = LeadFactory(), LeadFactory(**ANNA)
        merge_leads(survivor_id=survivor.pk, merged_id=merged.pk)
        page = admin.get(page_of(merged)).content.decode()
        assert page_of(survivor) in page
        assert 'name="_save"' not in page
        assert admin.post(page_of(merged), {"name": "x"}).status_code == 403
        assert page_of(merged) in admin.get(page_of(survivor)).content.decode()

    def test_who_may_not_see_contacts_does_not(self, clerk):
        lead = ContactFactory(message="тайна").lead
        page = clerk.get(page_of(lead))
        assert page.status_code == 200
        assert "тайна" not in page.content.decode()

    def test_nothing_breaks_out_of_a_text(self, admin):
        evil = "<script>x</script>"
        lead = LeadFactory(external_id=evil, name=evil, email=f"{evil}@x", phone="+79000000102")
        LeadFactory(name=evil, phone="+79000000102")
        LeadFactory(name=evil, merged_into=lead)
        ContactFactory(lead=lead, message=evil, source__name=evil)
        assert evil not in admin.get(page_of(lead)).content.decode()

    def test_a_lead_is_neither_added_nor_deleted_here(self, admin):
        lead = LeadFactory()
        assert admin.get(f"{LIST}add/").status_code == 403
        assert admin.post(f"{LIST}{lead.pk}/delete/", {"post": "yes"}).status_code == 403


class TestForm:
    def shown(self, admin, lead):
        """What a browser would send of the form as it is now."""
        form = filled(admin.get(page_of(lead)), "lead_form")
        assert form.keys() >= {"initial-name", "initial-phone", "initial-email"}
        return form

    def test_a_new_phone_is_found_by_its_number(self, admin):
        lead = LeadFactory(name="Анна")
        admin.post(page_of(lead), self.shown(admin, lead) | {"phone": "8 900 000-01-02"})
        lead.refresh_from_db()
        assert (lead.phone, lead.phone_e164) == ("8 900 000-01-02", "+79000000102")

    def test_a_stale_form_undoes_nothing_that_it_did_not_change(self, admin):
        lead = LeadFactory(**ANNA)
        form = self.shown(admin, lead)
        update_lead(lead, phone="+7 999 111-22-33")
        assert admin.post(page_of(lead), form | {"name": "Анна П."}).status_code == 302
        lead.refresh_from_db()
        assert (lead.name, lead.phone) == ("Анна П.", "+7 999 111-22-33")
        assert lead.phone_e164 == "+79991112233"

    def test_a_change_of_what_somebody_changed_is_refused_until_it_was_seen(self, admin):
        lead = LeadFactory(**ANNA)
        form = self.shown(admin, lead) | {"name": "Анна П."}
        update_lead(lead, name="Анна К.")
        again = admin.post(page_of(lead), form)
        assert "Анна К." in str(again.context["adminform"].form.errors["name"])
        lead.refresh_from_db()
        assert lead.name == "Анна К."
        form = filled(again, "lead_form")
        assert (form["name"], form["initial-name"]) == ("Анна П.", "Анна К.")
        assert admin.post(page_of(lead), form).status_code == 302
        lead.refresh_from_db()
        assert lead.name == "Анна П."

    def test_blanks_at_the_ends_of_what_came_are_no_change(self, admin):
        lead = LeadFactory(phone=" +7 900 ", name="Анна")
        form = self.shown(admin, lead)
        assert admin.post(page_of(lead), form | {"name": "Мария"}).status_code == 302
        lead.refresh_from_db()
        assert (lead.phone, lead.name) == (" +7 900 ", "Мария")

    def test_a_form_without_what_it_showed_overwrites_nothing(self, admin):
        lead = LeadFactory(**ANNA)
        data = {"name": "x", "phone": "", "email": ""}
        assert admin.post(page_of(lead), data).status_code == 200
        lead.refresh_from_db()
        assert lead.name == ANNA["name"]


class TestMerging:
    def test_both_are_shown_side_by_side_with_what_moves(self, admin):
        one, other = LeadFactory(**ANNA), LeadFactory(name="Другая")
        ContactFactory(lead=other)
        page = admin.get(merge_page(one, other))
        assert [count for _, count in page.context["sides"]] == [1, 0]
        assert all(word in page.content.decode() for word in ("Анна Щукина", "Другая"))
        assert Lead.objects.filter(merged_into=None).count() == 2

    @pytest.mark.parametrize("place", [0, 1])
    def test_the_one_chosen_stays_and_the_log_says_who_did_it(self, admin, place):
        pair = LeadFactory.create_batch(2)
        for lead in pair:
            ContactFactory(lead=lead)
        survivor, merged = pair[place], pair[1 - place]
        done = admin.post(merge_page(*pair), {"stays": survivor.pk}, follow=True)
        assert done.redirect_chain[-1][0] == page_of(survivor)
        assert len(messages(done)) == 1
        assert survivor.contacts.count() == 2
        assert Lead.objects.get(pk=merged.pk).merged_into == survivor
        [change] = changes_of(survivor)
        assert change.actor_name == "boss"
        assert merged.external_id in change.fields["merged with"][1]
        assert [each.fields for each in changes_of(merged)] == [
            {"merged_into": [None, str(survivor)]}
        ]

    def test_a_choice_of_neither_merges_nothing(self, admin):
        pair = LeadFactory.create_batch(2)
        for stays in ("", "x", LeadFactory().pk):
            assert admin.post(merge_page(*pair), {"stays": stays}).status_code == 200
        assert not Lead.objects.filter(merged_into__isnull=False).exists()

    def test_what_cannot_be_merged_is_told(self, admin):
        one, other = LeadFactory.create_batch(2)
        same = admin.post(merge_page(one, one), {"stays": one.pk}, follow=True)
        merge_leads(survivor_id=one.pk, merged_id=other.pk)
        twice = admin.post(merge_page(one, other), {"stays": one.pk}, follow=True)
        assert len(messages(same)) == len(messages(twice)) == 1
        assert admin.get(f"{LIST}{one.pk}/merge/999999/").status_code == 404

    @pytest.mark.parametrize("chosen", [1, 3])
    def test_the_action_wants_exactly_two(self, admin, chosen):
        leads = LeadFactory.create_batch(3)
        data = {"action": "merge", "_selected_action": [each.pk for each in leads[:chosen]]}
        assert admin.post(LIST, data).headers["Location"] == LIST

    def test_the_action_leads_to_the_question(self, admin):
        pair = LeadFactory.create_batch(2)
        data = {"action": "merge", "_selected_action": [each.pk for each in pair]}
        assert admin.post(LIST, data).headers["Location"] == merge_page(*pair)

    def test_who_may_only_look_merges_nothing(self, clerk):
        pair = LeadFactory.create_batch(2, **ANNA)
        assert merge_page(*pair) not in clerk.get(page_of(pair[0])).content.decode()
        assert clerk.get(merge_page(*pair)).status_code == 403
        assert clerk.post(merge_page(*pair), {"stays": pair[0].pk}).status_code == 403
        data = {"action": "merge", "_selected_action": [each.pk for each in pair]}
        clerk.post(LIST, data)
        assert not Lead.objects.filter(merged_into__isnull=False).exists()

    def test_it_wants_the_token_of_its_page(self, admin, client):
        client.handler.enforce_csrf_checks = True
        pair = LeadFactory.create_batch(2)
        assert client.post(merge_page(*pair), {"stays": pair[0].pk}).status_code == 403

    @pytest.mark.postgres
    @pytest.mark.django_db(transaction=True)
    def test_a_busy_contact_is_told_and_nothing_is_half_done(self, admin, monkeypatch):
        monkeypatch.setattr(locks, "ATTEMPTS", 1)
        one, other = LeadFactory.create_batch(2)
        ContactFactory(lead=other)
        with transaction.atomic():
            list(Contact.objects.select_for_update())
            done = elsewhere(
                lambda: admin.post(merge_page(one, other), {"stays": one.pk}, follow=True)
            )
        assert len(messages(done)) == 1
        assert not Lead.objects.filter(merged_into__isnull=False).exists()
