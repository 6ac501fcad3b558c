"""Contacts and leads from files, through the pages of the admin."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from contacts import import_rows, import_runs
from contacts.models import Contact, DecisionRecord, ImportPart, ImportRun
from contacts.tests.scenes import serve
from contacts.tests.sheets import csv_file, go_on, upload, xlsx_file
from crm_project.sheets import reading
from leads.models import Lead
from leads.tests.factories import LeadFactory
from sources.models import Source
from sources.tests.factories import SourceFactory

pytestmark = pytest.mark.django_db
HEADER = ["lead_external_id", "source_code", "message"]


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


@pytest.fixture
def bot():
    return SourceFactory(code="bot", name="Бот")


def rows(count, code="bot"):
    return [[f"client:{number}", code, f"Здравствуйте, {number}"] for number in range(count)]


def problems(page):
    return [tuple(fault) for fault in page.context.get("faults", [])]


def refusal(page):
    return page.context["form"].errors["file"][0]


def test_nothing_is_imported_before_it_is_confirmed(admin, bot):
    page = upload(admin, csv_file(HEADER, *rows(3)))
    assert "Загрузить 3 строки" in page.content.decode()
    assert not Contact.objects.exists()
    assert not Lead.objects.exists()


def test_contacts_are_distributed_in_the_order_of_the_file(admin, bot):
    operator = serve(bot, max_active_contacts=2)
    run = upload(admin, csv_file(HEADER, *rows(3))).context["run"]
    page = go_on(admin, run)
    assert page.context["outcomes"] == [
        ("Обращений передано операторам", 2),
        ("Обращений ждёт в очереди", 1),
    ]
    by_age = Contact.objects.order_by("pk")
    assert [contact.operator for contact in by_age] == [operator, operator, None]
    assert [contact.message for contact in by_age] == [row[2] for row in rows(3)]
    assert set(DecisionRecord.objects.values_list("kind", "actor_name")) == {("create", "boss")}


def test_before_the_import_it_says_what_distribution_would_do(admin, bot):
    serve(bot, max_active_contacts=2)
    serve(bot, max_active_contacts=9, is_active=False)
    page = upload(admin, csv_file(HEADER, *rows(5)))
    assert page.context["hint"] == [("Бот", 5, 2, 3)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_in_whatever_way_it_was_written(admin, bot, encoding, delimiter):
    titles = ["Сообщение", " КОД источника", "внешний идентификатор клиента"]
    content = csv_file(titles, ["Щука, «да»", "bot", "7"], delimiter=delimiter, encoding=encoding)
    go_on(admin, upload(admin, content).context["run"])
    contact = Contact.objects.get()
    assert (contact.message, contact.lead.external_id) == ("Щука, «да»", "7")


def test_the_first_rows_are_shown_under_their_titles(admin, bot):
    table = csv_file(["message", "source_code", "lead_external_id"], ["x", "bot", "7"])
    page = upload(admin, table)
    assert page.context["titles"][:3] == list(import_rows.CONTACT_TITLES.values())[:3]
    assert page.context["items"] == [(2, ["7", "bot", "x", "", "", ""])]


def test_xlsx_is_read_whatever_it_is_called_and_numbers_are_texts(admin, bot):
    content = xlsx_file(
        ["Source code", "Lead's external id", "Lead's phone", "Note"],
        ["bot", 15.0, 79991234567, "x"],
    )
    page = upload(admin, content, name="rows.csv")
    assert page.context["run"].unused_columns == ["Note"]
    go_on(admin, page.context["run"])
    assert Lead.objects.values_list("external_id", "phone").get() == ("15", "79991234567")


def test_each_wrong_row_is_told_and_left_out(admin, bot):
    SourceFactory(code="off", is_active=False)
    page = upload(
        admin,
        csv_file(
            HEADER,
            [" ", "bot", ""],
            ["a", "no", ""],
            ["b", "off", ""],
            [],
            ["c", "bot", "x" * 10_001],
            ["d", "bot", "one", "two"],
            ["e", "bot", "nul \0"],
            ["f"],
            ["g", "bot"],
        ),
    )
    assert problems(page) == [
        (2, "внешний идентификатор клиента", "Это поле не может быть пустым."),
        (3, "код источника", "Такого источника нет."),
        (4, "", "Источник отключён и не принимает новых обращений."),
        (6, "сообщение", "Убедитесь, что это значение содержит не более 10000 символов."),
        (7, "", "В строке больше ячеек, чем в заголовке: нет ли в тексте разделителя?"),
        (8, "сообщение", "Нулевые символы не допускаются."),
        (9, "код источника", "Это поле не может быть пустым."),
    ]
    page = go_on(admin, page.context["run"])
    assert problems(page)[1] == (3, "код источника", "Такого источника нет.")
    assert Contact.objects.get().lead.external_id == "g"
    run = ImportRun.objects.get()
    assert (run.rows, run.faulty_rows, run.outcomes) == (1, 7, {"waiting": 1})


def test_all_errors_come_as_a_file(admin, bot):
    run = upload(admin, csv_file(HEADER, *rows(1200, code="no"))).context["run"]
    page = admin.get(f"/admin/contacts/contact/import/{run.pk}/")
    assert len(page.context["faults"]) == 100
    answer = admin.get(f"/admin/contacts/contact/import/{run.pk}/errors/")
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 1201
    assert lines[0] == "Строка;Столбец;Что не так"
    assert lines[-1] == "1201;код источника;Такого источника нет."


def test_a_file_goes_in_parts_and_a_click_too_many_adds_nothing(admin, bot, monkeypatch):
    monkeypatch.setattr(import_runs, "ROWS_IN_PART", 2)
    run = upload(admin, csv_file(HEADER, *rows(5))).context["run"]
    page = go_on(admin, run)
    assert Contact.objects.count() == 2
    assert "data-auto" in page.content.decode()
    assert 'value="1"' in page.content.decode()
    page = go_on(admin, run, 5)
    assert page.context["run"].finished_at
    assert "data-auto" not in page.content.decode()
    assert Contact.objects.count() == 5


def test_what_changes_meanwhile_makes_a_row_wrong_and_stops_no_other(admin, bot, monkeypatch):
    monkeypatch.setattr(import_runs, "ROWS_IN_PART", 2)
    SourceFactory(code="gone")
    table = csv_file(HEADER, *rows(2), ["x", "gone", ""], ["y", "bot", ""])
    run = upload(admin, table).context["run"]
    go_on(admin, run)
    Source.objects.filter(code="gone").delete()
    page = go_on(admin, run)
    assert problems(page) == [(4, "код источника", "Такого источника нет.")]
    assert Contact.objects.count() == 3


def test_imported_rows_are_kept_no_longer_than_needed(admin, bot):
    run = upload(admin, csv_file(HEADER, *rows(3))).context["run"]
    assert "client:1" in ImportPart.objects.get().items
    go_on(admin, run)
    assert ImportPart.objects.get().items == "[]"


def test_a_file_is_forgotten_after_a_day(admin, bot):
    old, young = (upload(admin, csv_file(HEADER, *rows(1))).context["run"] for _ in range(2))
    ImportRun.objects.filter(pk=old.pk).update(created_at=timezone.now() - import_runs.KEPT)
    new = upload(admin, csv_file(HEADER, *rows(1))).context["run"]
    assert set(ImportRun.objects.values_list("pk", flat=True)) == {young.pk, new.pk}
    assert admin.get(f"/admin/contacts/contact/import/{old.pk}/").status_code == 404


def test_leads_fill_what_is_empty_and_overwrite_nothing(admin, monkeypatch):
    monkeypatch.setattr(import_runs, "ROWS_IN_PART", 4)
    LeadFactory(external_id="a", name="Анна")
    LeadFactory(external_id="b", name="Борис", phone="1")
    table = csv_file(
        ["Телефон", "Внешний идентификатор", "Имя"],
        ["2", "a", "Другая"],
        ["2", "b", "Другой"],
        ["3", "c", ""],
        ["", "c", "Вера"],
        ["", "c", "Вера"],
    )
    run = upload(admin, table, kind="leads").context["run"]
    page = go_on(admin, run, 2)
    assert run.rows == 5
    assert page.context["outcomes"] == [
        ("Новых клиентов", 1),
        ("Клиентов дополнено", 2),
        ("Клиентов без изменений", 2),
    ]
    assert set(Lead.objects.values_list("external_id", "name", "phone")) == {
        ("a", "Анна", "2"),
        ("b", "Борис", "1"),
        ("c", "Вера", "3"),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\n\n", "Файл пуст"),
        (csv_file(["message", "source_code"], ["x", "bot"]), "нет столбца «внешний идентификатор"),
        (csv_file([*HEADER, "Source code"], ["x", "bot", "", "bot"]), "встречается дважды"),
        (csv_file(HEADER), "ничего нет"),
        (bytes(range(256)), "не XLSX и не текст"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "старый формат"),
        (b"PK\x03\x04 and no more", "повреждён"),
        (csv_file(HEADER) + b'a,bot,"' + b"x" * 200_000, "строки 2"),
    ],
)
def test_what_is_no_table_is_refused_in_words(admin, content, words):
    assert words in refusal(upload(admin, content))
    assert not ImportRun.objects.exists()


def test_a_file_with_too_many_rows_leaves_nothing_behind(admin, bot, monkeypatch):
    monkeypatch.setattr(import_runs, "ROWS_IN_PART", 2)
    monkeypatch.setattr(reading, "MOST_ROWS", 4)
    assert upload(admin, csv_file(HEADER, *rows(4))).context["run"].rows == 4
    assert "больше 4 строк" in refusal(upload(admin, csv_file(HEADER, *rows(5))))
    assert ImportRun.objects.count() == 1


def test_a_large_file_is_refused_in_words(admin, monkeypatch):
    monkeypatch.setattr("contacts.import_admin.MOST_BYTES", 2048)
    assert "больше 2,0\xa0КБ" in refusal(upload(admin, b"x" * 2049))


def test_a_body_that_is_far_too_large_is_not_even_read(client, settings):
    settings.UPLOAD_LIMIT_BYTES = 2048
    answer = client.post("/admin/login/", {"file": "x" * 2049})
    assert answer.status_code == 413


def test_importing_wants_the_right_to_add(client, bot):
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get("/admin/contacts/contact/import/").status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="add_lead"))
    page = client.get("/admin/contacts/contact/import/").content.decode()
    assert 'value="leads"' in page
    assert 'value="contacts"' not in page
    assert "kind" in upload(client, csv_file(HEADER, *rows(1))).context["form"].errors


def test_nobody_else_sees_or_runs_a_file(admin, client, bot):
    run = upload(admin, csv_file(HEADER, *rows(1))).context["run"]
    client.force_login(get_user_model().objects.create_superuser("other"))
    for path in ("", "errors/"):
        assert client.get(f"/admin/contacts/contact/import/{run.pk}/{path}").status_code == 404
    assert client.post(f"/admin/contacts/contact/import/{run.pk}/next/").status_code == 404
    assert not Contact.objects.exists()


def test_a_part_takes_the_same_number_of_queries_however_many_rows(
    admin, bot, django_assert_max_num_queries
):
    serve(bot, max_active_contacts=1000)
    run = upload(admin, csv_file(HEADER, *rows(500))).context["run"]
    with django_assert_max_num_queries(40):
        go_on(admin, run)
    assert Contact.objects.count() == 500


def test_reading_takes_the_same_number_of_queries_for_each_part(
    admin, bot, django_assert_max_num_queries
):
    with django_assert_max_num_queries(30 + 4 * 4):
        upload(admin, csv_file(HEADER, *rows(2000)))
