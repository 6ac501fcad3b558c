"""The back office pages through large tables without counting them."""

import pytest
from django.contrib.auth import get_user_model

from crm_project import paginator
from crm_project.paginator import UncountedPaginator
from crm_project.testing.queries import capture_sql
from leads.admin import LeadAdmin
from leads.models import Lead
from leads.tests.factories import LeadFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client, monkeypatch):
    monkeypatch.setattr(LeadAdmin, "list_per_page", 2)
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def names(page):
    return [lead.external_id for lead in page.context["cl"].result_list]


def test_each_page_leads_to_the_next_until_the_last(admin):
    for number in range(5):
        LeadFactory(external_id=f"lead:{number}")
    first, second, third = (admin.get(f"/admin/leads/lead/?p={number}") for number in (1, 2, 3))
    assert [names(each) for each in (first, second, third)] == [
        ["lead:4", "lead:3"],
        ["lead:2", "lead:1"],
        ["lead:0"],
    ]
    links = ['rel="prev" href="?p=1"', 'rel="next" href="?p=3"', "<span>3–4</span>"]
    assert all(each in second.content.decode() for each in links)
    assert 'rel="next"' not in third.content.decode()


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_nothing_is_counted(admin, rows):
    LeadFactory.create_batch(rows)
    sql = capture_sql(lambda: admin.get("/admin/leads/lead/"))
    assert not [each for each in sql if "COUNT(" in each.upper()]
    page = admin.get("/admin/leads/lead/").content.decode()
    assert str(UncountedPaginator(Lead.objects.all(), 2).count) not in page.split("</h1>")[0]
    assert ('rel="next"' in page) == (rows > 2)


def test_the_search_and_the_filters_go_with_the_reader(admin):
    LeadFactory.create_batch(3, name="Анна")
    page = admin.get("/admin/leads/lead/?q=анна").content.decode()
    assert 'rel="next" href="?p=2&amp;q=%D0%B0%D0%BD%D0%BD%D0%B0"' in page


def test_beyond_the_last_page_there_is_none(admin, monkeypatch):
    monkeypatch.setattr(paginator, "MOST_PAGES", 2)
    LeadFactory.create_batch(5)
    assert 'rel="next"' not in admin.get("/admin/leads/lead/?p=2").content.decode()
    assert admin.get("/admin/leads/lead/?p=3").headers["Location"] == "/admin/leads/lead/?e=1"
    assert admin.get("/admin/leads/lead/?p=0").headers["Location"] == "/admin/leads/lead/?e=1"


def test_a_choice_by_typing_goes_on_where_there_is_more(admin):
    for number in range(30):
        LeadFactory(external_id=f"lead:{number}")
    field = {"app_label": "contacts", "model_name": "contact", "field_name": "lead"}
    for page, more in ((1, True), (2, False)):
        answer = admin.get("/admin/autocomplete/", field | {"term": "lead", "page": page}).json()
        assert answer["pagination"] == {"more": more}
