"""Lists of the admin as files: exactly what the filters and the search leave."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from contacts.models import Contact
from contacts.tests.factories import ContactFactory
from contacts.tests.sheets import exported, go_on, upload
from crm_project.sheets import export_admin
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
LISTS = ["contacts/contact", "leads/lead", "operators/operator", "sources/source"]


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(export_admin, "ROWS_IN_PAGE", 2)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_links_to_itself_as_a_file_that_keep_its_filters(admin, path):
    ContactFactory(operator=OperatorFactory())
    page = admin.get(f"/admin/{path}/?q=a&o=1&p=1", follow=True).content.decode()
    for form in ("csv", "xlsx"):
        assert f"/admin/{path}/export/{form}/?o=1&amp;q=a" in page


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_all_pages_come_as_the_filters_and_the_search_leave_them(admin, form, small_pages):
    ContactFactory.create_batch(5, status="closed", message="Щука")
    ContactFactory(status="closed", message="Карп")
    ContactFactory(message="Щука")
    rows = exported(admin, "contacts/contact", form, "?status__exact=closed&q=щук&o=-1")
    found = Contact.objects.filter(status="closed", message="Щука").order_by("pk")
    assert [str(row[0]) for row in rows[1:]] == [str(contact.pk) for contact in found]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_words_and_times_are_those_of_the_people(admin, form):
    contact = ContactFactory(
        source__name="Бот",
        created_at=datetime(2026, 1, 31, 22, 30, 15, 99, tzinfo=UTC),
        operator=OperatorFactory(name="Анна"),
    )
    header, row = exported(admin, "contacts/contact", form)
    shown = dict(zip(header, map(str, row), strict=True))
    assert shown["№"] == str(contact.pk)
    assert shown["Создано"] == "2026-02-01 01:30:15"
    assert (shown["Источник"], shown["Оператор"], shown["Статус"]) == ("Бот", "Анна", "новое")
    assert shown["Внешний идентификатор клиента"] == contact.lead.external_id


def test_operators_and_sources_are_exported_with_what_is_counted(admin):
    assignment = AssignmentFactory(operator__name="Анна", source__name="Бот")
    ContactFactory(operator=assignment.operator, source=assignment.source)
    header, row = exported(admin, "operators/operator")
    shown = dict(zip(header, row, strict=True))
    assert (shown["Имя"], shown["Открытых обращений"], shown["Принимает"]) == ("Анна", "1", "Да")
    header, row = exported(admin, "sources/source")
    assert dict(zip(header, row, strict=True))["Название"] == "Бот"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_is_exported_can_be_imported_again(admin, form):
    source = SourceFactory(code="bot")
    sent = [("=1+1", "+7999", "а;б,\t«в»\nг"), ("client:2", "", "'-1"), ("3", "8", " x ")]
    for external_id, phone, message in sent:
        lead = LeadFactory(external_id=external_id, phone=phone)
        ContactFactory(lead=lead, source=source, message=message)
    answer = admin.get(f"/admin/contacts/contact/export/{form}/")
    content = b"".join(answer.streaming_content)
    Contact.objects.all().delete()
    Lead.objects.all().delete()
    go_on(admin, upload(admin, content, name=f"contacts.{form}").context["run"])
    fields = ("lead__external_id", "lead__phone", "message")
    assert list(Contact.objects.order_by("pk").values_list(*fields)) == sent


def test_leads_survive_the_way_there_and_back(admin):
    LeadFactory(external_id="007", name="Щукина", phone="+7 (999) 1", email="a@b.c")
    content = b"".join(admin.get("/admin/leads/lead/export/xlsx/").streaming_content)
    Lead.objects.all().delete()
    go_on(admin, upload(admin, content, kind="leads").context["run"])
    (lead,) = Lead.objects.values_list("external_id", "name", "phone", "email")
    assert lead == ("007", "Щукина", "+7 (999) 1", "a@b.c")


@pytest.mark.parametrize("path", LISTS)
def test_a_page_of_rows_takes_one_query(admin, path, small_pages, django_assert_num_queries):
    for _ in range(7):
        assignment = AssignmentFactory()
        ContactFactory(operator=assignment.operator, source=assignment.source)
    answer = admin.get(f"/admin/{path}/export/csv/")
    with django_assert_num_queries(5):
        assert len(b"".join(answer.streaming_content).splitlines()) == 8


def test_rows_are_fetched_as_they_are_sent(admin, small_pages, django_assert_num_queries):
    LeadFactory.create_batch(9)
    parts = iter(admin.get("/admin/leads/lead/export/csv/").streaming_content)
    with django_assert_num_queries(2):
        assert len([next(parts) for _ in range(3)]) == 3


def test_xlsx_of_too_many_rows_leads_to_csv(admin, monkeypatch):
    monkeypatch.setattr(export_admin, "MOST_ROWS_OF_XLSX", 2)
    LeadFactory.create_batch(2)
    assert len(exported(admin, "leads/lead", "xlsx")) == 3
    LeadFactory()
    page = admin.get("/admin/leads/lead/export/xlsx/?q=client", follow=True)
    assert page.redirect_chain == [("/admin/leads/lead/?q=client", 302)]
    assert "Возьмите CSV" in page.content.decode()
    assert len(exported(admin, "leads/lead")) == 4


def test_a_wrong_address_is_no_error_of_ours(admin):
    assert admin.get("/admin/leads/lead/export/pdf/").status_code == 404
    assert admin.post("/admin/leads/lead/export/csv/").status_code == 405
    assert admin.get("/admin/leads/lead/export/csv/?x=1").status_code == 302


@pytest.mark.parametrize("path", LISTS)
def test_who_may_not_view_a_list_may_not_export_it(client, path):
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get(f"/admin/{path}/export/csv/").status_code == 403
    model = path.rpartition("/")[2]
    clerk.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    assert len(exported(client, path)) == 1
    assert "?kind=" not in client.get(f"/admin/{path}/").content.decode()
