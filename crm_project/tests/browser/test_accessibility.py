"""axe-core finds nothing serious on the pages people use, in light and dark."""

import pytest

from access.tests.keys import make_key
from contacts.erasing import erase_lead
from contacts.events.services import send_test
from contacts.events.tests.factories import SubscriptionFactory
from contacts.models import Message
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from leads.tests.factories import LeadFactory
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def paths():
    source = SourceFactory()
    operator = serve(source, name="Анна")
    serve(source, name="Борис", is_active=False)
    contact, _ = arrive(source)
    Message.objects.create(contact=contact, text="ж" * 999, sent_at=contact.created_at)
    ContactFactory()
    key, _ = make_key("intake", source)
    webhook = SubscriptionFactory(failures=1)
    send_test(webhook)
    erased = LeadFactory()
    erase_lead(erased.pk)
    return [
        "/",
        "/operators/operator/",
        f"/operators/operator/{operator.pk}/change/",
        "/operators/operator/add/",
        "/sources/source/",
        f"/sources/source/{source.pk}/change/",
        "/contacts/contact/",
        f"/contacts/contact/{contact.pk}/change/",
        f"/contacts/contact/reassign_to/?ids={contact.pk}",
        "/contacts/contact/import/",
        "/access/apikey/",
        "/access/apikey/add/",
        f"/access/apikey/{key.pk}/change/",
        f"/access/apikey/revoke/?ids={key.pk}",
        "/events/subscription/",
        "/events/subscription/add/",
        f"/events/subscription/{webhook.pk}/change/",
        "/events/delivery/",
        "/leads/lead/",
        f"/leads/lead/{contact.lead_id}/change/",
        f"/leads/lead/erase/?ids={contact.lead_id}",
        f"/leads/lead/{erased.pk}/change/",
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1366), ("dark", 390)])
@pytest.mark.usefixtures("boss")
def test_pages_have_no_serious_violation(sign_in, paths, violations, scheme, width):
    page = sign_in("boss")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    assert [each for path in paths for each in violations(path)] == []
