"""Team leads give people their data and erase them, in the back office."""

import json

import pytest

from contacts.tests.factories import ContactFactory
from crm_project.testing.queries import capture_sql
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory
from operators.tests.people import make_lead, make_operator, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/leads/lead/"
ANNA = {"name": "Анна Щукина", "phone": "+79000000102", "email": "anna@example.com"}


@pytest.fixture
def team_lead(client):
    client.force_login(make_lead())
    return client


def page_of(lead):
    return f"{LIST}{lead.pk}/change/"


def erase_page(*leads):
    return f"{LIST}erase/?ids={','.join(str(lead.pk) for lead in leads)}"


def data_of(lead):
    return f"{LIST}{lead.pk}/data/"


def messages(response):
    return [str(message) for message in response.context["messages"]]


def erased():
    return set(Lead.objects.filter(erased_at__isnull=False).values_list("pk", flat=True))


def test_the_page_of_a_lead_offers_both(team_lead):
    lead = LeadFactory(**ANNA)
    page = team_lead.get(page_of(lead)).content.decode()
    assert data_of(lead) in page
    assert erase_page(lead) in page


def test_the_data_come_as_a_file(team_lead):
    lead = LeadFactory(**ANNA)
    ContactFactory(lead=lead, message="Привет")
    response = team_lead.get(data_of(lead))
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Content-Disposition"].startswith(f'attachment; filename="lead-{lead.pk}-')
    told = json.loads(b"".join(response.streaming_content))
    assert (told["lead"]["name"], told["contacts"][0]["message"]) == ("Анна Щукина", "Привет")


def test_before_anything_is_erased_it_is_said_what(team_lead):
    lead = LeadFactory(**ANNA)
    LeadFactory(name="А. Щ.", merged_into=lead)
    twin = LeadFactory(**ANNA | {"name": "Двойник"})
    ContactFactory(lead=lead)
    ContactFactory(lead=lead, status="closed")
    page = team_lead.get(erase_page(lead))
    text = page.content.decode()
    assert all(word in text for word in ("Анна Щукина", "А. Щ.", "Двойник", page_of(twin)))
    [person] = page.context["people"]
    assert (person.contacts, person.opened) == (2, 1)
    assert 'name="close"' in text
    assert erased() == set()


def test_a_post_erases_and_names_nobody(team_lead):
    lead = LeadFactory(**ANNA)
    ContactFactory(lead=lead, status="closed", message="тайна")
    done = team_lead.post(erase_page(lead), follow=True)
    assert done.redirect_chain[-1][0] == page_of(lead)
    assert erased() == {lead.pk}
    [message] = messages(done)
    assert "Анна" not in message
    text = done.content.decode()
    assert 'name="_save"' not in text
    assert erase_page(lead) not in text
    assert "тайна" not in text
    assert [line.who for line in done.context["changes"]] == ["lead"]


def test_an_open_contact_is_told_and_closed_only_if_that_was_asked(team_lead):
    contact = ContactFactory(lead__name="Анна", operator=OperatorFactory())
    refused = team_lead.post(erase_page(contact.lead), follow=True)
    assert len(messages(refused)) == 1
    assert erased() == set()
    team_lead.post(erase_page(contact.lead), {"close": "on"})
    assert erased() == {contact.lead_id}
    contact.refresh_from_db()
    assert contact.status == "closed"


def test_several_are_erased_by_the_action_and_who_cannot_be_is_told(team_lead):
    leads = LeadFactory.create_batch(3, **ANNA)
    ContactFactory(lead=leads[1])
    data = {"action": "erase", "_selected_action": [each.pk for each in leads]}
    page = team_lead.post(LIST, data, follow=True)
    assert len(page.context["people"]) == 3
    done = team_lead.post(page.redirect_chain[-1][0], follow=True)
    assert len(messages(done)) == 2
    assert erased() == {leads[0].pk, leads[2].pk}


def test_an_erased_lead_is_listed_in_words_and_cannot_be_changed(team_lead):
    lead = LeadFactory(**ANNA)
    team_lead.post(erase_page(lead))
    lead.refresh_from_db()
    assert str(lead) in team_lead.get(LIST).content.decode()
    assert team_lead.post(page_of(lead), {"name": "x"}).status_code == 403
    again = team_lead.post(erase_page(lead), follow=True)
    assert messages(again) == ["Персональные данные уже стёрты."]
    merge = f"{LIST}{lead.pk}/merge/{LeadFactory().pk}/"
    done = team_lead.post(merge, {"stays": lead.pk}, follow=True)
    assert len(messages(done)) == 1
    assert not Lead.objects.filter(merged_into__isnull=False).exists()


def test_its_contacts_offer_nothing_to_do(team_lead):
    contact = ContactFactory(status="closed")
    path = f"/admin/contacts/contact/{contact.pk}/change/"
    assert team_lead.get(path).context["acts"]
    team_lead.post(erase_page(contact.lead))
    assert not team_lead.get(path).context["acts"]


@pytest.mark.parametrize("who", ["operator", "clerk"])
def test_nobody_else_takes_out_or_erases_anything(client, who):
    anna = make_operator("Анна")
    own = ContactFactory(operator=anna, status="closed").lead
    clerk = make_user("clerk")
    client.force_login(anna.user if who == "operator" else clerk)
    page = client.get(page_of(own)).content.decode()
    assert data_of(own) not in page
    assert erase_page(own) not in page
    for path in (data_of(own), erase_page(own)):
        assert client.get(path).status_code == 403
    assert client.post(erase_page(own)).status_code == 403
    client.post(LIST, {"action": "erase", "_selected_action": [own.pk]})
    assert erased() == set()


@pytest.mark.parametrize("ids", ["", "x", "0", "9" * 30, "1,x"])
def test_for_nobody_there_is_no_page(team_lead, ids):
    assert team_lead.get(f"{LIST}erase/?ids={ids}").status_code == 404
    assert team_lead.get(f"{LIST}{'9' * 30}/data/").status_code == 404
    assert team_lead.get(f"{LIST}0/data/").status_code == 404
    assert team_lead.post(data_of(LeadFactory())).status_code == 405


def test_it_wants_the_token_of_its_page(team_lead):
    team_lead.handler.enforce_csrf_checks = True
    assert team_lead.post(erase_page(LeadFactory())).status_code == 403


def test_nothing_breaks_out_of_a_text(team_lead):
    evil = "<script>x</script>"
    lead = LeadFactory(name=evil, external_id=evil, phone="+79000000102")
    LeadFactory(name=evil, merged_into=lead)
    LeadFactory(name=evil, phone="+79000000102")
    assert evil not in team_lead.get(erase_page(lead)).content.decode()


def test_the_question_costs_the_same_for_many(team_lead):
    def queries(count):
        leads = [ContactFactory().lead for _ in range(count)]
        return len(capture_sql(lambda: team_lead.get(erase_page(*leads))))

    assert queries(20) == queries(2)
