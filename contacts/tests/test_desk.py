"""An operator's first page, by its forms, as without JavaScript."""

import re

import pytest
from django.utils import timezone

from contacts.models import Contact
from contacts.services import change_status, reassign_contact
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import serve
from crm_project.testing.faults import lock_timeout
from operators.roles import OPERATOR
from operators.tests.people import make_operator, make_user
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
DESK = "/admin/my/"


@pytest.fixture
def anna():
    return make_operator("Анна", max_active_contacts=3)


@pytest.fixture
def source(anna):
    source = SourceFactory(name="Бот")
    AssignmentFactory(source=source, operator=anna)
    return source


@pytest.fixture
def desk(client, anna):
    client.force_login(anna.user)
    return client


def press(client, contact, button):
    return said(client.post(f"{DESK}{contact.pk}/", {"action": button}, follow=True))


def switch(client, value):
    return said(client.post(f"{DESK}accepting/", {"accepting": value}, follow=True))


def said(page):
    return [str(message) for message in page.context["messages"]]


def keys(page):
    return [int(key) for key in re.findall(r'data-key="(\d+)"', page.content.decode())]


def state(contact):
    contact.refresh_from_db()
    return contact.status, contact.operator and contact.operator.name


class TestThePage:
    @pytest.mark.parametrize("query", ["", "?next=/admin/"])
    def test_it_comes_first_after_signing_in(self, client, anna, query):
        anna.user.set_password("secret")
        anna.user.save()
        form = {"username": anna.user.username, "password": "secret"}
        page = client.post(f"/admin/login/{query}", form, follow=True)
        assert page.redirect_chain[-1] == (DESK, 302)
        assert "Мои обращения" in page.content.decode()

    def test_it_shows_what_there_is_to_know_of_each_contact(self, desk, anna, source):
        lead = {"lead__name": "Иван", "lead__phone": "+7 (900) 1-2", "lead__email": "i@x.ru"}
        contact = ContactFactory(operator=anna, source=source, message="<b>Да</b>", **lead)
        ContactFactory.create_batch(2, lead=contact.lead, operator=anna, status="closed")
        ContactFactory(lead=contact.lead, status="closed")
        page = desk.get(DESK).content.decode()
        for text in [
            "Анна",
            "1 из 3",
            f"№ {contact.pk}",
            "Иван",
            "Бот",
            'href="tel:+790012"',
            'href="mailto:i@x.ru"',
            "&lt;b&gt;Да",
            "раньше закрыто у вас: 2",
            "(1) Мои обращения",
        ]:
            assert text in page

    @pytest.mark.parametrize(
        ("phone", "tel"),
        [
            ("8 (900) 123-45-67", "89001234567"),
            (" +7 900", "+7900"),
            ("javascript:alert(1)", "1"),
            ("спросить у секретаря", None),
        ],
    )
    def test_a_phone_is_dialled_by_its_digits(self, desk, anna, phone, tel):
        ContactFactory(operator=anna, lead__phone=phone)
        page = desk.get(DESK).content.decode()
        assert re.findall(r'href="tel:([^"]*)"', page) == ([tel] if tel else [])
        assert phone in page

    def test_new_ones_come_first_and_of_them_the_oldest(self, desk, anna):
        day = timezone.timedelta(days=1)
        made = [("in_progress", 3), ("new", 1), ("in_progress", 4), ("new", 2)]
        ids = [
            ContactFactory(operator=anna, status=status, created_at=timezone.now() - age * day).pk
            for status, age in made
        ]
        assert keys(desk.get(DESK)) == [ids[3], ids[1], ids[2], ids[0]]

    def test_others_and_closed_and_waiting_ones_are_not_there(self, desk, anna):
        ContactFactory(operator=anna, status="closed")
        ContactFactory(operator=make_operator("Борис"))
        ContactFactory()
        assert keys(desk.get(DESK)) == []
        assert "Дел нет" in desk.get(DESK).content.decode()

    def test_a_long_message_is_folded(self, desk, anna):
        short, long = (ContactFactory(operator=anna, message="щ" * n) for n in (280, 281))
        page = desk.get(DESK).content.decode()
        assert page.count("<details") == 1
        assert short.message in page
        assert long.message in page

    def test_a_message_of_many_lines_is_folded(self, desk, anna):
        ContactFactory(operator=anna, message="\n" * 6)
        assert "<details" in desk.get(DESK).content.decode()

    def test_of_more_than_100_it_says_how_many(self, desk, anna):
        ContactFactory.create_batch(103, operator=anna)
        page = desk.get(DESK)
        assert len(keys(page)) == 100
        assert "Ещё 3: появятся" in page.content.decode()

    @pytest.mark.parametrize("path", [DESK, f"{DESK}cards/"])
    @pytest.mark.parametrize("count", [1, 50])
    def test_its_queries_do_not_grow(self, desk, anna, path, count, django_assert_max_num_queries):
        for status in ("new", "closed"):
            for contact in ContactFactory.create_batch(count, operator=anna, status=status):
                ContactFactory(lead=contact.lead, operator=anna, status="closed")
        # The last one is of the menu, which asks for the groups.
        with django_assert_max_num_queries(10):
            assert desk.get(path).status_code == 200

    def test_the_fragment_is_the_same_without_what_is_around_it(self, desk, anna):
        contact = ContactFactory(operator=anna)
        page = desk.get(f"{DESK}cards/")
        assert keys(page) == [contact.pk]
        assert "<html" not in page.content.decode()
        assert "no-store" in page["Cache-Control"]

    def test_without_a_link_it_says_who_must_make_one(self, client):
        client.force_login(make_user("new", OPERATOR))
        page = client.get("/admin/", follow=True)
        assert page.status_code == 403
        assert "Попросите руководителя" in page.content.decode()
        assert client.post(f"{DESK}accepting/", {"accepting": "yes"}).status_code == 403

    def test_nothing_is_written_by_looking(self, desk, anna):
        contact = ContactFactory(operator=anna)
        for path in ("accepting/", f"{contact.pk}/"):
            assert desk.get(f"{DESK}{path}").status_code == 405
        assert state(contact) == ("new", "Анна")

    def test_a_form_of_another_site_is_refused(self, anna, client):
        client.handler.enforce_csrf_checks = True
        client.force_login(anna.user)
        contact = ContactFactory(operator=anna)
        assert client.post(f"{DESK}{contact.pk}/", {"action": "close"}).status_code == 403
        assert state(contact) == ("new", "Анна")


class TestTheButtons:
    def test_take(self, desk, anna):
        contact = ContactFactory(operator=anna)
        assert press(desk, contact, "take") == [f"Обращение № {contact.pk} в работе."]
        assert state(contact) == ("in_progress", "Анна")

    def test_close_tells_what_came_in_its_place(self, desk, anna, source):
        contact, *_ = ContactFactory.create_batch(3, operator=anna)
        waiting = ContactFactory(source=source)
        assert press(desk, contact, "close") == [
            f"Обращение № {contact.pk} закрыто. Вам передано: № {waiting.pk}."
        ]
        assert state(waiting) == ("new", "Анна")

    def test_close_twice_is_no_mistake(self, desk, anna):
        contact = ContactFactory(operator=anna)
        for _ in range(2):
            assert press(desk, contact, "close") == [f"Обращение № {contact.pk} закрыто."]

    def test_returned_it_goes_to_another(self, desk, anna, source):
        serve(source, name="Борис")
        contact = ContactFactory(operator=anna, source=source)
        assert press(desk, contact, "return") == [
            f"Обращение № {contact.pk} передано другому оператору: Борис."
        ]
        assert state(contact) == ("new", "Борис")

    def test_returned_it_stays_where_nobody_else_is(self, desk, anna, source):
        contact = ContactFactory(operator=anna, source=source)
        assert "остаётся у вас" in press(desk, contact, "return")[0]
        assert state(contact) == ("new", "Анна")

    def test_returned_by_who_takes_no_new_ones_it_waits(self, desk, anna, source):
        contact = ContactFactory(operator=anna, source=source)
        switch(desk, "no")
        assert "ждёт" in press(desk, contact, "return")[0]
        assert state(contact) == ("new", None)

    @pytest.mark.parametrize("button", ["take", "close", "return"])
    def test_what_has_gone_to_another_is_not_changed(self, desk, anna, button):
        boris = make_operator("Борис")
        contact = ContactFactory(operator=anna)
        reassign_contact(contact.pk, operator_id=boris.pk)
        assert press(desk, contact, button) == [
            f"Обращение № {contact.pk} уже у другого оператора: Борис."
        ]
        assert state(contact) == ("new", "Борис")

    @pytest.mark.parametrize("button", ["take", "close", "return"])
    def test_of_what_was_never_theirs_nobody_learns_anything(self, desk, button):
        for contact in (ContactFactory(operator=make_operator("Борис")), ContactFactory()):
            before = state(contact)
            response = desk.post(f"{DESK}{contact.pk}/", {"action": button})
            assert response.status_code == 404
            assert state(contact) == before

    @pytest.mark.parametrize("button", ["take", "return"])
    def test_what_the_team_lead_has_closed_is_not_opened_again(self, desk, anna, button):
        contact = ContactFactory(operator=anna)
        change_status(contact.pk, status="closed")
        assert "закрыто" in press(desk, contact, button)[0]
        assert state(contact) == ("closed", "Анна")

    @pytest.mark.parametrize("contact_id", [999, 10**30])
    def test_a_contact_that_there_is_not_is_a_404(self, desk, contact_id):
        assert desk.post(f"{DESK}{contact_id}/", {"action": "close"}).status_code == 404

    @pytest.mark.parametrize("form", [{}, {"action": "delete"}])
    def test_a_button_that_there_is_not_is_a_400(self, desk, anna, form):
        contact = ContactFactory(operator=anna)
        assert desk.post(f"{DESK}{contact.pk}/", form).status_code == 400

    def test_a_busy_database_is_told_and_no_error(self, desk, anna, monkeypatch):
        def busy(*args, **how):
            raise lock_timeout()

        monkeypatch.setattr("contacts.desk.change_status", busy)
        contact = ContactFactory(operator=anna)
        assert press(desk, contact, "close") == [
            "Сервис занят. Попробуйте ещё раз через мгновение."
        ]

    def test_the_history_names_who_pressed(self, desk, anna, source):
        serve(source)
        contact = ContactFactory(operator=anna, source=source)
        press(desk, contact, "return")
        assert contact.decisions.get().actor_name == anna.user.username


class TestTheSwitch:
    def test_off_stops_new_ones_and_leaves_the_others(self, desk, anna):
        contact = ContactFactory(operator=anna)
        assert "не принимаете" in switch(desk, "no")[0]
        anna.refresh_from_db()
        assert not anna.is_active
        assert state(contact) == ("new", "Анна")
        assert 'aria-checked="false"' in desk.get(DESK).content.decode()

    def test_on_hands_out_what_waits(self, desk, anna, source):
        switch(desk, "no")
        ids = [contact.pk for contact in ContactFactory.create_batch(4, source=source)]
        given = ", ".join(f"№ {pk}" for pk in ids[:3])
        assert switch(desk, "yes") == [
            f"Теперь вы принимаете новые обращения. Вам передано: {given}."
        ]
        assert set(Contact.objects.filter(operator=anna).values_list("pk", flat=True)) == {*ids[:3]}

    def test_many_are_told_as_a_number(self, client):
        source, boris = SourceFactory(), make_operator("Борис", is_active=False)
        AssignmentFactory(source=source, operator=boris)
        ContactFactory.create_batch(7, source=source)
        client.force_login(boris.user)
        assert switch(client, "yes")[0].endswith("Вам передано 7 обращений.")

    def test_pressed_twice_it_stays(self, desk, anna):
        for _ in range(2):
            switch(desk, "yes")
        anna.refresh_from_db()
        assert anna.is_active
