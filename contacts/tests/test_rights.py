"""What an operator sees of contacts and leads, by every way there is to them."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from contacts.models import Contact
from contacts.rights import only_of, visible_contacts, visible_leads
from contacts.services import change_status
from contacts.tests.factories import ContactFactory
from operators.roles import OPERATOR, TEAM_LEAD
from operators.tests.people import make_lead, make_operator, make_user

pytestmark = pytest.mark.django_db
CONTACTS, LEADS = "/admin/contacts/contact/", "/admin/leads/lead/"


@pytest.fixture
def anna():
    return make_operator("Анна")


@pytest.fixture
def mine(anna):
    return ContactFactory(operator=anna, message="моё", lead__name="Мой")


@pytest.fixture
def foreign():
    boris = make_operator("Борис")
    return ContactFactory(operator=boris, message="чужое", lead__name="Чужой")


@pytest.fixture
def desk(client, anna):
    client.force_login(anna.user)
    return client


def listed(client, path):
    return set(client.get(path).context["cl"].result_list)


def test_an_operator_has_the_open_contacts_and_all_the_leads_that_are_theirs(anna, mine, foreign):
    closed = ContactFactory(operator=anna, status="closed")
    ContactFactory()
    assert set(visible_contacts(anna.user)) == {mine}
    assert set(visible_leads(anna.user)) == {mine.lead, closed.lead}
    assert only_of(anna.user) == anna.pk


def test_who_leads_sees_everything_even_as_an_operator(anna, mine, foreign):
    both = make_user("both", TEAM_LEAD, OPERATOR)
    for user in (make_lead(), both, make_user("boss", OPERATOR, is_superuser=True)):
        assert visible_contacts(user).count() == visible_leads(user).count() == 2
        assert only_of(user) is None


def test_without_a_link_an_operator_sees_nothing_not_even_what_waits(mine):
    ContactFactory()
    user = make_user("new", OPERATOR)
    assert not visible_contacts(user).exists()
    assert not visible_leads(user).exists()
    with pytest.raises(PermissionDenied):
        only_of(user)


def test_nobody_in_particular_is_not_confined_but_has_no_permissions_either():
    assert only_of(AnonymousUser()) is None


def test_lists_and_search_have_only_what_is_theirs(desk, mine, foreign):
    assert listed(desk, CONTACTS) == {mine}
    assert listed(desk, LEADS) == {mine.lead}
    assert listed(desk, f"{CONTACTS}?q=чужое") == set()
    assert listed(desk, f"{LEADS}?q=Чужой") == set()


@pytest.mark.parametrize("field", ["source__id__exact", "status__exact", "waiting"])
def test_filters_open_nothing(desk, mine, foreign, field):
    waiting = ContactFactory(source=foreign.source)
    values = {"source__id__exact": foreign.source_id, "status__exact": "new", "waiting": "yes"}
    assert not {foreign, waiting} & listed(desk, f"{CONTACTS}?{field}={values[field]}")


def test_colleagues_are_nothing_to_filter_by(desk, mine, foreign):
    assert "Борис" not in desk.get(CONTACTS).content.decode()
    assert listed(desk, f"{CONTACTS}?operator__id__exact={foreign.operator_id}") == set()


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_what_belongs_to_others_is_not_there(desk, mine, foreign, page):
    for path, theirs, own in (
        (CONTACTS, foreign, mine),
        (LEADS, foreign.lead, mine.lead),
    ):
        assert desk.get(f"{path}{theirs.pk}/{page}/").status_code == 404
        assert desk.get(f"{path}{own.pk}/{page}/").status_code == (403 if page == "delete" else 200)


def test_a_closed_contact_is_not_there_but_its_lead_is(desk, anna):
    closed = ContactFactory(operator=anna, status="closed")
    assert desk.get(f"{CONTACTS}{closed.pk}/change/").status_code == 404
    assert desk.get(f"{LEADS}{closed.lead_id}/change/").status_code == 200


def test_autocomplete_finds_only_their_leads(desk, mine, foreign):
    query = "app_label=contacts&model_name=contact&field_name=lead&term=о"
    found = desk.get(f"/admin/autocomplete/?{query}").json()["results"]
    assert [each["id"] for each in found] == [str(mine.lead_id)]


@pytest.mark.parametrize(
    "query",
    [
        "app_label=sources&model_name=assignment&field_name=operator",
        "app_label=contacts&model_name=contact&field_name=source",
        "app_label=operators&model_name=operator&field_name=user",
    ],
)
def test_autocomplete_names_no_colleagues_and_no_users(desk, query):
    assert desk.get(f"/admin/autocomplete/?{query}").status_code == 403


@pytest.mark.parametrize("action", ["take", "close", "reopen", "reassign"])
def test_actions_reach_only_their_own(desk, mine, foreign, action):
    data = {"action": action, "_selected_action": [foreign.pk], "select_across": "1"}
    desk.post(CONTACTS, data)
    before = foreign.status, foreign.operator_id
    foreign.refresh_from_db()
    assert (foreign.status, foreign.operator_id) == before


def test_an_action_on_a_contact_that_has_just_gone_to_another_changes_nothing(
    desk, mine, foreign, monkeypatch
):
    """It is in the list that the action got, and somebody else's before its turn comes."""

    def late(contact_id, **how):
        Contact.objects.filter(pk=contact_id).update(operator=foreign.operator)
        return change_status(contact_id, **how)

    monkeypatch.setattr("contacts.admin_actions.change_status", late)
    data = {"action": "close", "_selected_action": [mine.pk]}
    page = desk.post(CONTACTS, data, follow=True)
    mine.refresh_from_db()
    assert mine.status == "new"
    assert page.status_code == 200


def test_an_operator_cannot_change_a_lead(desk, mine):
    path = f"{LEADS}{mine.lead_id}/change/"
    assert desk.post(path, {"name": "x"}).status_code == 403
    assert desk.get(f"{LEADS}add/").status_code == 403


def test_a_lead_of_nobody_is_shown_to_the_team_lead(client, foreign):
    client.force_login(make_lead())
    assert client.get(f"{LEADS}{foreign.lead_id}/change/").status_code == 200
    assert listed(client, CONTACTS) == {foreign}
