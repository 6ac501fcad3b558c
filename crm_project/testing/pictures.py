"""Takes the pictures of the READMEs from demo data: `python -m crm_project.testing.pictures`."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from crm_project.testing.service import ROOT, Service

PICTURES = ROOT / "docs" / "pictures"
LAPTOP, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}
PASSWORD = "only for a moment, on this machine"
# A team lead, an operator who has most to do, and a contact whose history says something.
PEOPLE = f"""
from django.contrib.auth.models import Group, User
from django.db.models import Count
from contacts.models import Contact, DecisionRecord, OPEN
from operators.models import Operator
User.objects.create_superuser("lead", password="{PASSWORD}")
user = User.objects.create_user("operator", password="{PASSWORD}", is_staff=True)
user.groups.add(Group.objects.get(name="Оператор"))
busiest = Contact.objects.filter(OPEN).values("operator").annotate(n=Count("pk")).order_by("-n")
Operator.objects.filter(pk=busiest.exclude(operator=None)[0]["operator"]).update(user=user)
drawn = DecisionRecord.objects.filter(contact__status="closed", odds__contains=",")
told = drawn.exclude(skipped=[]).first() or drawn.first()
print("contact", told.contact_id)
"""


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Chromium is not installed. On Debian and Ubuntu: apt install chromium")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(f"sqlite:///{Path(folder) / 'db.sqlite3'}")
        service.manage("prepare", "--demo")
        contact = service.manage("shell", "-v0", "-c", PEOPLE).stdout.split()[-1]
        service.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox"]
                )
                take(browser, service.url, contact)
        finally:
            service.kill()


def take(browser, url: str, contact: str) -> None:
    page = signed_in(browser, url, "lead", LAPTOP)
    shoot(page, f"{url}/admin/", "dashboard", whole=True)
    shoot(page, f"{url}/admin/contacts/contact/{contact}/change/", "contact", whole=True)
    shoot(page, f"{url}/admin/sources/source/1/change/", "source", whole=True)
    shoot(signed_in(browser, url, "operator", PHONE), f"{url}/admin/my/", "desk")


def signed_in(browser, url: str, username: str, viewport: dict[str, int]) -> Page:
    page = browser.new_context(viewport=viewport, locale="ru-RU").new_page()
    page.goto(f"{url}/admin/login/")
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[type=submit]").click()
    page.wait_for_load_state()
    return page


def shoot(page: Page, url: str, name: str, *, whole: bool = False) -> None:
    page.goto(url)
    # The fairness of the sources comes a second after the page.
    page.wait_for_timeout(2500)
    size = page.viewport_size
    if whole:
        # Higher, not scrolled: the theme keeps its lower bar in sight.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size(size | {"height": height})
    page.screenshot(path=PICTURES / f"{name}.png")
    page.set_viewport_size(size)
    print(f"docs/pictures/{name}.png")


if __name__ == "__main__":
    main()
