"""What SQLite deletes is not left in its file for whoever copies that."""

import pytest

from crm_project.testing.asking import ask
from crm_project.testing.service import Service

pytestmark = pytest.mark.once

SECRETS = [
    "tg:77-secret",
    "Щукина",
    "+79000000102",
    "anna@secret.example",
    "дачный участок",
    "забор",
]
WRITE = """
from contacts.models import Message
from contacts.services import Inquiry, change_status, create_contact
from leads.models import Lead
from leads.services import Profile, update_lead
from sources.models import Source
source = Source.objects.create(code="bot", name="Бот")
# More than fits on a page: of that, whole pages are freed.
texts = ["дачный участок", "дачный участок " * 1000]
profile = Profile("Анна Щукина", "+79000000102", "anna@secret.example")
for external_id in ["tg:77-secret", *(f"tg:{n}" for n in range(300))]:
    who = profile if external_id == "tg:77-secret" else Profile(f"Имя {external_id}")
    for text in texts if who is profile else ["Привет"]:
        contact, _ = create_contact(Inquiry(source, external_id, text, who))
        if who is profile:
            for said in ["забор", "забор " * 1000]:
                Message.objects.create(contact=contact, text=said, sent_at=contact.created_at)
        change_status(contact.pk, status="closed")
update_lead(Lead.objects.get(external_id="tg:77-secret"), name="Анна Щукина-Карпова")
"""


def test_an_erased_text_is_in_no_byte_of_the_database(tmp_path):
    path = tmp_path / "db.sqlite3"
    service = Service(f"sqlite:///{path}")
    service.migrate()
    service.manage("shell", "-v0", "-c", WRITE)
    assert set(left_in(path)) == set(SECRETS)
    service.manage("erase_lead", "tg:77-secret", "--yes")
    assert left_in(path) == []


def test_nor_while_the_service_keeps_it_open(tmp_path):
    path = tmp_path / "db.sqlite3"
    service = Service(f"sqlite:///{path}", CRM_CONN_MAX_AGE="3600")
    service.migrate()
    service.start()
    try:
        service.manage("shell", "-v0", "-c", WRITE)
        assert {ask(f"{service.url}/leads").status for _ in range(20)} == {200}
        service.manage("erase_lead", "tg:77-secret", "--yes")
        # As the service's own clock does every few seconds.
        service.manage("tick")
        assert left_in(path) == []
    finally:
        service.kill()


def left_in(path):
    """Which of the texts stand in the file or in what belongs to it."""
    content = b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))
    return [each for each in SECRETS if each.encode() in content]
