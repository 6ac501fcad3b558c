"""Who gets what at each address of the back office."""

import pytest
from django.contrib.auth.models import Group

from access.tests.keys import make_key
from contacts.events.tests.factories import SubscriptionFactory
from contacts.tests.factories import ContactFactory
from operators.roles import OPERATOR
from operators.tests.people import make_lead, make_operator, make_user
from sources.tests.factories import AssignmentFactory

pytestmark = pytest.mark.django_db
WHO = ["superuser", "lead", "operator", "unlinked", "clerk", "anonymous"]
TO_SIGN_IN = 302

# What a GET answers to each of WHO. `{o}` and the like are an operator, a source, an assignment
# and users; `{c}`, `{l}` a contact and a lead of the operator, `{C}`, `{L}` those of another.
TABLE = {
    "": [200, 200, 302, 302, 200, TO_SIGN_IN],
    "my/": [403, 403, 200, 403, 403, TO_SIGN_IN],
    "my/cards/": [403, 403, 200, 403, 403, TO_SIGN_IN],
    "password_change/": [200, 200, 200, 200, 200, TO_SIGN_IN],
    "contacts/": [200, 200, 200, 200, 404, TO_SIGN_IN],
    "contacts/contact/": [200, 200, 200, 200, 403, TO_SIGN_IN],
    "contacts/contact/add/": [403, 403, 403, 403, 403, TO_SIGN_IN],
    "contacts/contact/{c}/change/": [200, 200, 200, 404, 403, TO_SIGN_IN],
    "contacts/contact/{c}/history/": [200, 200, 200, 404, 403, TO_SIGN_IN],
    "contacts/contact/{c}/delete/": [403, 403, 403, 404, 403, TO_SIGN_IN],
    "contacts/contact/{C}/change/": [200, 200, 404, 404, 403, TO_SIGN_IN],
    "contacts/contact/{C}/history/": [200, 200, 404, 404, 403, TO_SIGN_IN],
    "leads/lead/": [200, 200, 200, 200, 403, TO_SIGN_IN],
    "leads/lead/add/": [403, 403, 403, 403, 403, TO_SIGN_IN],
    "leads/lead/{l}/change/": [200, 200, 200, 404, 403, TO_SIGN_IN],
    "leads/lead/{l}/delete/": [403, 403, 403, 404, 403, TO_SIGN_IN],
    "leads/lead/{L}/change/": [200, 200, 404, 404, 403, TO_SIGN_IN],
    "operators/operator/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "operators/operator/add/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "operators/operator/{o}/change/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "operators/operator/{o}/delete/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "operators/operator/{o}/history/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "sources/source/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "sources/source/add/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "sources/source/{s}/change/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "sources/source/{s}/delete/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "sources/assignment/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "auth/user/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "auth/user/add/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "auth/user/{u}/change/": [200, 200, 404, 404, 404, TO_SIGN_IN],
    "auth/user/{u}/password/": [200, 200, 404, 404, 404, TO_SIGN_IN],
    "auth/user/{u}/delete/": [200, 403, 404, 404, 404, TO_SIGN_IN],
    "auth/user/{b}/change/": [200, 404, 404, 404, 404, TO_SIGN_IN],
    "auth/user/{b}/history/": [200, 404, 404, 404, 404, TO_SIGN_IN],
    "auth/user/{b}/password/": [200, 404, 404, 404, 404, TO_SIGN_IN],
    "access/apikey/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "access/apikey/add/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "access/apikey/{k}/change/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "access/apikey/{k}/history/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "access/apikey/{k}/delete/": [403, 403, 403, 403, 403, TO_SIGN_IN],
    "access/apikey/revoke/?ids={k}": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "auth/group/": [200, 403, 403, 403, 403, TO_SIGN_IN],
    "auth/group/add/": [403, 403, 403, 403, 403, TO_SIGN_IN],
    "auth/group/{g}/change/": [200, 403, 403, 403, 403, TO_SIGN_IN],
    "autocomplete/?app_label=contacts&model_name=contact&field_name=lead": [
        *(200, 200, 200, 200, 403),
        TO_SIGN_IN,
    ],
    "autocomplete/?app_label=operators&model_name=operator&field_name=user": [
        *(200, 200, 403, 403, 403),
        TO_SIGN_IN,
    ],
    "events/subscription/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "events/subscription/add/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "events/subscription/{w}/change/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "events/subscription/{w}/history/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "events/subscription/{w}/delete/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "events/delivery/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "events/delivery/add/": [403, 403, 403, 403, 403, TO_SIGN_IN],
    "events/operatornotice/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "audit/change/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "audit/change/add/": [403, 403, 403, 403, 403, TO_SIGN_IN],
    "dashboard/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "dashboard/fairness/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "contacts/contact/import/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "contacts/contact/export/csv/": [200, 200, 200, 200, 403, TO_SIGN_IN],
    "leads/lead/export/csv/": [200, 200, 200, 200, 403, TO_SIGN_IN],
    "operators/operator/export/csv/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "contacts/contact/reassign_to/?ids={c}": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "leads/lead/{l}/merge/{L}/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "leads/lead/{l}/data/": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "leads/lead/erase/?ids={l}": [200, 200, 403, 403, 403, TO_SIGN_IN],
    "search/?s=о": [200, 200, 200, 200, 200, TO_SIGN_IN],
    "jsi18n/": [200, 200, 200, 200, 200, TO_SIGN_IN],
}


@pytest.fixture
def people():
    anna = make_operator("Анна")
    return {
        "superuser": make_user("boss", is_superuser=True),
        "lead": make_lead(),
        "operator": anna.user,
        "unlinked": make_user("new", OPERATOR),
        "clerk": make_user("clerk"),
        "anonymous": None,
    }


@pytest.fixture
def ids(people):
    anna = people["operator"].operator
    assignment = AssignmentFactory(operator=make_operator("Борис"))
    own = ContactFactory(operator=anna)
    foreign = ContactFactory(operator=assignment.operator, source=assignment.source)
    free = AssignmentFactory()
    return {
        "c": own.pk,
        "l": own.lead_id,
        "C": foreign.pk,
        "L": foreign.lead_id,
        "o": assignment.operator_id,
        "s": free.source_id,
        "u": assignment.operator.user_id,
        "b": people["superuser"].pk,
        "k": make_key("read")[0].pk,
        "w": SubscriptionFactory().pk,
        "g": Group.objects.get(name=OPERATOR).pk,
    }


@pytest.mark.parametrize("who", WHO)
def test_everybody_gets_what_the_table_says(client, people, ids, who):
    if people[who]:
        client.force_login(people[who])
    expected = {path: statuses[WHO.index(who)] for path, statuses in TABLE.items()}
    assert {
        path: client.get(f"/admin/{path.format(**ids)}").status_code for path in TABLE
    } == expected


@pytest.mark.parametrize("who", WHO)
def test_the_table_has_every_model_of_the_back_office(client, people, who):
    if not people[who]:
        return
    client.force_login(people[who])
    page = client.get("/admin/password_change/")
    for app in page.context["available_apps"]:
        for model in app["models"]:
            path = model["admin_url"].removeprefix("/admin/")
            assert TABLE[path][WHO.index(who)] == 200


@pytest.mark.parametrize("who", ["unlinked", "clerk", "anonymous"])
@pytest.mark.parametrize("path", ["my/accepting/", "my/{c}/"])
def test_nobody_else_acts_as_an_operator(client, people, ids, who, path):
    if people[who]:
        client.force_login(people[who])
    response = client.post(f"/admin/{path.format(**ids)}", {"accepting": "no", "action": "close"})
    assert response.status_code == (403 if people[who] else TO_SIGN_IN)


def test_a_team_lead_who_is_an_operator_too_has_both(client):
    lead = make_lead()
    operator = make_operator("Вера")
    operator.user = lead
    operator.save()
    client.force_login(lead)
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/my/").status_code == 200
