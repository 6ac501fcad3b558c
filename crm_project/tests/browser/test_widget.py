"""The form of a source on the page of a shop, which is of another origin."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from contacts.models import Contact
from contacts.tests.scenes import serve
from crm_project.tests.browser.shop import open_shop
from sources.models import Channel
from sources.tests.factories import SourceFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = "8 (912) 345-67-89"


@pytest.fixture
def source():
    source = SourceFactory(code="shop", kind="widget")
    serve(source, name="Анна")
    return source


@pytest.fixture
def shop(source, live_server):
    with open_shop(f"{live_server.url}/sources/shop/widget.js") as shop:
        Channel.objects.create(source=source, options={"allowed_origins": [shop.url]})
        yield shop


@pytest.fixture
def _policy(shop, source):
    """People have to agree to it."""
    source.channel.options["privacy_url"] = "https://shop.example/privacy"
    source.channel.save()


@pytest.fixture
def guest(context, live_server, shop, troubles):
    """Somebody's page, as `page` of the back office: it may ask the shop and us, nobody else."""
    page = context.new_page()
    page.on("console", lambda told: troubles.append(f"{told.type}: {told.text}"))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    known = (live_server.url, shop.url, "data:")
    page.on(
        "request",
        lambda asked: asked.url.startswith(known) or troubles.append(f"asks {asked.url}"),
    )
    page.set_default_timeout(15_000)
    return page


def opened(page, address):
    page.goto(address)
    page.get_by_role("button", name="Напишите нам").click()
    return page.get_by_role("dialog", name="Напишите нам")


def fill(form, **given):
    for label, value in given.items():
        form.get_by_label(LABELS[label], exact=True).fill(value)


def only(troubles, what):
    """Is it that which the browser complained of, and nothing else? It is forgotten then."""
    told = [each for each in troubles if what not in each]
    is_so = bool(troubles) and not told
    del troubles[:]
    return is_so


def violations(page, troubles):
    """All that axe-core finds in the page, of whatever weight."""
    said = len(troubles)
    rows = Axe().run(page).response["violations"]
    # What axe-core itself makes the browser say is none of ours.
    del troubles[said:]
    return [f"{each['id']}: {node['html'][:150]}" for each in rows for node in each["nodes"]]


LABELS = {
    "name": "Как к вам обращаться",
    "phone": "Телефон",
    "email": "Электронная почта",
    "message": "Сообщение",
}


def test_what_is_filled_in_becomes_a_contact_of_somebody(guest, shop):
    form = opened(guest, shop.show())
    fill(form, name="Пётр", phone=PHONE, message="Есть чайник\nна 2 литра?")
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    expect(form.get_by_role("status")).to_be_focused()
    contact = Contact.objects.select_related("operator", "lead").get()
    assert contact.operator.name == "Анна"
    assert contact.message == "Есть чайник\nна 2 литра?"
    assert (contact.lead.external_id, contact.lead.name) == ("phone:+79123456789", "Пётр")


@pytest.mark.usefixtures("_policy")
def test_wrong_fields_say_so_and_nothing_that_was_typed_is_lost(guest, shop, troubles):
    form = opened(guest, shop.show())
    fill(form, name="Пётр", phone="12", email="почта", message="Есть чайник?")
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_label("Телефон")).to_be_focused()
    for name in ("phone", "email"):
        control, told = form.locator(f"#{name}"), form.locator(f"#{name}-error").inner_text()
        expect(control).to_have_attribute("aria-invalid", "true")
        expect(control).to_have_accessible_description(re.compile(re.escape(told)))
        assert told
    consent = form.get_by_role("checkbox")
    expect(consent).to_have_accessible_name(re.compile("политики конфиденциальности"))
    expect(consent).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("Сообщение")).to_have_value("Есть чайник?")
    assert only(troubles, "400")
    assert not Contact.objects.exists()
    fill(form, phone=PHONE, email="petr@example.com")
    consent.check()
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    expect(form.get_by_label("Телефон")).to_be_hidden()
    assert Contact.objects.get().message == "Есть чайник?"


def test_it_speaks_english_on_an_english_page_and_where_it_is_told_to(guest, shop, troubles):
    guest.goto(shop.show(lang="en-GB"))
    guest.get_by_role("button", name="Write to us").click()
    guest.get_by_label("Telephone").fill("12")
    guest.get_by_role("button", name="Send").click()
    expect(guest.get_by_text("Check the number, with the code of the city")).to_be_visible()
    assert only(troubles, "400")
    guest.goto(shop.show(lang="en", attributes='data-lang="ru"'))
    expect(guest.get_by_role("button", name="Напишите нам")).to_be_visible()
    # The browser's own, where neither says.
    guest.goto(shop.show(lang=""))
    expect(guest.get_by_role("button", name="Напишите нам")).to_be_visible()


def test_a_program_that_fills_in_every_field_is_thanked_and_nothing_is_kept(guest, shop):
    form = opened(guest, shop.show())
    fill(form, phone=PHONE)
    form.locator("[name=website]").evaluate("control => control.value = 'https://spam.example'")
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert not Contact.objects.exists()


def test_the_keyboard_is_enough(guest, shop):
    guest.goto(shop.show())
    opener = guest.get_by_role("button", name="Напишите нам")
    guest.keyboard.press("Tab")
    expect(opener).to_be_focused()
    guest.keyboard.press("Enter")
    guest.keyboard.type("Пётр")
    guest.keyboard.press("Tab")
    guest.keyboard.type(PHONE)
    guest.keyboard.press("Escape")
    expect(guest.get_by_role("dialog")).to_be_hidden()
    expect(opener).to_be_focused()
    guest.keyboard.press("Enter")
    # What was typed is still there; the hidden field is no stop on the way to the button.
    for _ in range(4):
        guest.keyboard.press("Tab")
    expect(guest.get_by_role("button", name="Отправить")).to_be_focused()
    guest.keyboard.press("Enter")
    expect(guest.get_by_role("status")).to_contain_text("Спасибо!")
    assert Contact.objects.get().lead.name == "Пётр"


def test_whoever_types_in_the_page_already_is_left_alone(guest, shop):
    guest.add_init_script(TYPES_ALREADY)
    guest.goto(shop.show())
    expect(guest.get_by_role("button", name="Напишите нам")).to_be_visible()
    guest.evaluate("() => new Promise(requestAnimationFrame)")
    expect(guest.locator("#search")).to_be_focused()


TYPES_ALREADY = """
document.addEventListener("readystatechange", () => {
  if (document.readyState === "interactive") {
    document.body.insertAdjacentHTML("beforeend", "<input id=search>");
    document.getElementById("search").focus();
  }
});
"""


def test_a_page_with_a_strict_policy_needs_to_allow_us_and_nothing_more(guest, shop, live_server):
    policy = (
        f"default-src 'self'; script-src {live_server.url}; connect-src {live_server.url};"
        " style-src 'self'; img-src data:; require-trusted-types-for 'script'"
    )
    form = opened(guest, shop.show(policy=policy))
    expect(form).to_have_css("border-radius", "16px")
    fill(form, phone=PHONE)
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert Contact.objects.count() == 1


def test_whoever_clicks_twice_sends_once(guest, shop):
    sent = []
    guest.on("request", lambda asked: asked.method == "POST" and sent.append(asked.url))
    form = opened(guest, shop.show())
    fill(form, phone=PHONE)
    form.get_by_role("button", name="Отправить").dblclick()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert len(sent) == Contact.objects.count() == 1


def test_another_message_is_another_contact(guest, shop):
    form = opened(guest, shop.show())
    for _ in range(2):
        fill(form, phone=PHONE, message="То же самое")
        form.get_by_role("button", name="Отправить").click()
        form.get_by_role("button", name="Написать ещё").click()
        expect(form.get_by_label("Сообщение")).to_have_value("")
    assert Contact.objects.count() == 2


def test_a_form_whose_answer_is_lost_is_sent_again_and_makes_one_contact(guest, shop, troubles):
    def lose_the_first(route):
        if route.request.method == "POST" and not troubles:
            route.fetch()
            troubles.append("net::ERR_FAILED")
            return route.abort()
        return route.continue_()

    guest.route("**/webhook", lose_the_first)
    form = opened(guest, shop.show())
    fill(form, phone=PHONE)
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Нет связи с нами. Отправим ещё раз через 2")
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert only(troubles, "net::ERR_FAILED")
    assert Contact.objects.count() == 1


@pytest.mark.parametrize("then", ["Есть чайник?", "Есть чайник? И чашки?"])
def test_pressed_again_the_same_is_a_repetition_and_what_was_changed_is_not(
    guest, shop, troubles, then
):
    def lose(route):
        if route.request.method == "POST":
            route.fetch()
        return route.abort()

    guest.clock.install()
    guest.route("**/webhook", lose)
    form = opened(guest, shop.show())
    fill(form, phone=PHONE, message="Есть чайник?")
    press_and_wait_in_vain(guest, form)
    guest.unroute("**/webhook")
    fill(form, message=then)
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert only(troubles, "net::ERR_FAILED")
    told = Contact.objects.order_by("pk").values_list("message", flat=True)
    assert list(told) == list(dict.fromkeys(["Есть чайник?", then]))


def press_and_wait_in_vain(page, form):
    page.clock.run_for(2000)  # as nobody fills it in at once
    form.get_by_role("button", name="Отправить").click()
    status = form.get_by_role("status")
    for seconds in (2, 5, 15):
        expect(status).to_contain_text(f"через {seconds} с")
        page.clock.run_for(seconds * 1000)
    expect(status).to_contain_text("Отправить не получилось.")


def test_without_a_connection_the_text_stays_and_can_be_sent_later(guest, shop, troubles):
    guest.clock.install()
    guest.route("**/webhook", lambda route: route.abort())
    form = opened(guest, shop.show())
    fill(form, phone=PHONE, message="Есть чайник?")
    press_and_wait_in_vain(guest, form)
    expect(form.get_by_label("Сообщение")).to_have_value("Есть чайник?")
    guest.unroute("**/webhook")
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert only(troubles, "net::ERR_FAILED")
    assert Contact.objects.get().message == "Есть чайник?"


def test_whoever_sends_too_many_is_told_and_waits(guest, shop, settings, troubles):
    settings.FORMS_PER_MINUTE_ADDRESS = 1
    form = opened(guest, shop.show())
    fill(form, phone=PHONE)
    form.get_by_role("button", name="Отправить").click()
    form.get_by_role("button", name="Написать ещё").click()
    fill(form, phone=PHONE)
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("слишком много сообщений. Отправим ещё раз")
    assert only(troubles, "429")
    assert Contact.objects.count() == 1


def test_it_stands_in_the_page_where_the_shop_wants_it(guest, shop):
    guest.goto(shop.show(attributes="data-inline='#here'"))
    form = guest.locator("#here").get_by_role("region", name="Напишите нам")
    expect(guest.get_by_role("button", name="Напишите нам")).to_have_count(0)
    fill(form, phone=PHONE)
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    assert Contact.objects.count() == 1


@pytest.mark.usefixtures("_policy")
@pytest.mark.parametrize("width", [1366, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(guest, shop, troubles, scheme, width):
    guest.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    guest.set_viewport_size({"width": width, "height": 844})
    guest.goto(shop.show(attributes="data-inline='#here'"))
    expect(guest.get_by_role("button", name="Отправить")).to_be_visible()
    found = violations(guest, troubles)
    form = opened(guest, shop.show())
    assert guest.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found += violations(guest, troubles)
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_label("Телефон")).to_be_focused()
    assert only(troubles, "400")
    found += violations(guest, troubles)
    fill(form, phone=PHONE)
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Отправить").click()
    expect(form.get_by_role("status")).to_contain_text("Спасибо!")
    found += violations(guest, troubles)
    form.get_by_role("button", name="Закрыть").click()
    found += violations(guest, troubles)
    assert found == []
