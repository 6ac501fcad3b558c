"""The first page of the back office, as those see it who open it."""

import random
import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.utils import timezone

from contacts.models import DecisionRecord
from contacts.services import Inquiry, create_contact
from contacts.tests.factories import ContactFactory
from operators.models import Operator
from operators.tests.factories import OperatorFactory
from sources.models import Source
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


@pytest.fixture
def midday(time_machine):
    """No hour and no day ends meanwhile."""
    time_machine.move_to(timezone.localtime().replace(hour=12, minute=30), tick=False)


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


def staff(client, *permissions):
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def read(client, path="/admin/dashboard/", language="en"):
    page = client.get(path, headers={"accept-language": language})
    assert page.status_code == 200
    return page.content.decode()


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def figures(html):
    return {
        name: int(value)
        for name, value in re.findall(r'data-figure="(\w+)">(\d+)<', html.replace("\xa0", ""))
    }


def random_house(seed):
    rng = random.Random(seed)
    operators = [
        OperatorFactory(max_active_contacts=rng.randint(1, 5), is_active=rng.random() < 0.8)
        for _ in range(6)
    ]
    sources = [SourceFactory(auto_assign_waiting=rng.random() < 0.8) for _ in range(4)]
    for source in sources[1:]:
        for operator in rng.sample(operators, rng.randint(1, 4)):
            AssignmentFactory(source=source, operator=operator, weight=rng.randint(1, 5))
    for number in range(60):
        create_contact(Inquiry(rng.choice(sources), f"lead {number}"), draw=rng.random)
    for _ in range(15):
        ContactFactory(
            source=rng.choice(sources),
            operator=rng.choice([*operators, None]),
            status=rng.choice(["new", "in_progress", "closed"]),
        )


@pytest.mark.usefixtures("midday")
@pytest.mark.parametrize("seed", range(5))
def test_its_figures_are_those_of_the_api(admin, api, seed):
    random_house(seed)
    html, stats = read(admin), api.get("/stats").json()
    assert figures(html) == {
        "new": stats["new_contacts"],
        "in_progress": stats["in_progress_contacts"],
        "waiting": stats["waiting_contacts"],
        "used": stats["used_capacity"],
        "capacity": stats["total_capacity"],
        "came": stats["total_contacts"],
        "closed": stats["closed_contacts"],
    }
    loads = re.findall(r'<td class="board-number">(\d+) / (\d+)</td>', html)
    assert sorted(loads) == sorted(
        (str(each["current_load"]), str(each["max_active_contacts"])) for each in stats["operators"]
    )
    causes = re.search(r'<ul class="board-causes">(.*?)</ul>', html, re.DOTALL)[1]
    counts = sorted(int(count) for count in re.findall(r"<b>(\d+)</b>", causes))
    assert counts == sorted(count for count in stats["waiting_by_cause"].values() if count)


@pytest.mark.parametrize("seed", range(3))
def test_its_fairness_is_that_of_the_api(admin, api, seed):
    random_house(seed)
    html = read(admin, "/admin/dashboard/fairness/")
    for source in Source.objects.all():
        fairness = api.get(f"/stats/sources/{source.pk}").json()["fairness"]
        part = re.search(rf'id="board-source-{source.pk}".*?</details>', html, re.DOTALL)[0]
        assert f"board-{fairness['verdict']}" in part
        rows = re.findall(r'<th scope="row">(.*?)</th>.*?<td>(\d+)</td><td><span', part)
        assert rows == [
            (each["operator_name"], str(each["actual"])) for each in fairness["operators"]
        ]
        for each in fairness["operators"]:
            for share in (each["expected"], each["actual"]):
                assert f"{100 * share / fairness['draws']:.1f}&nbsp;%" in part


def test_a_suspicious_source_comes_first_and_lies_open(admin):
    SourceFactory()
    source = AssignmentFactory(operator__max_active_contacts=100).source
    AssignmentFactory(source=source, operator__max_active_contacts=100)
    for number in range(40):
        create_contact(Inquiry(source, f"lead {number}"), draw=lambda: 0.0)
    html = read(admin, "/admin/dashboard/fairness/")
    assert re.findall(r'id="board-source-(\d+)"( open)?', html)[0] == (str(source.pk), " open")
    assert "fewer than 1 of 1,000 cases" in html


def test_only_the_latest_draws_of_a_source_are_judged(admin, monkeypatch):
    monkeypatch.setattr("stats.draws.MOST_DRAWS", 3)
    source = AssignmentFactory().source
    AssignmentFactory(source=source)
    for number in range(5):
        create_contact(
            Inquiry(source, f"lead {number}"), now=timezone.now() - timedelta(minutes=number)
        )
    DecisionRecord.objects.filter(contact__lead__external_id="lead 1").update(odds="")
    assert "3 draws so far" in read(admin, "/admin/dashboard/fairness/")


def test_draws_of_more_than_a_week_ago_are_not_judged(admin):
    source = AssignmentFactory().source
    AssignmentFactory(source=source)
    create_contact(Inquiry(source, "lead"), now=timezone.now() - timedelta(days=8))
    assert "0 draws so far" in read(admin, "/admin/dashboard/fairness/")


def test_a_source_that_draws_no_lots_says_so(admin):
    SourceFactory(strategy="least_loaded")
    html = read(admin, "/admin/dashboard/fairness/")
    assert "No lots are drawn here: contacts go to the least loaded." in html


def test_who_waits_longest_is_shown_first_with_age_and_cause(admin):
    now = timezone.now()
    source = SourceFactory(name="Bot")
    young = ContactFactory(source=source, waiting_since=now - timedelta(minutes=12, seconds=5))
    old = ContactFactory(source=source, waiting_since=now - timedelta(hours=5))
    html = read(admin)
    rows = re.findall(r"<tr><th.*?contact/(\d+)/change/.*?</tr>", html)
    assert rows == [str(old.pk), str(young.pk)]
    assert "waits 5 hours" in html
    assert "waits 12 minutes" in html
    assert html.count("the source has no operators") == 3
    assert '<a href="/admin/contacts/contact/?waiting=yes">' in html


def test_the_fullest_operators_come_first_and_the_rest_can_be_opened(admin):
    OperatorFactory.create_batch(20)
    full = OperatorFactory(name="Full", max_active_contacts=2)
    over = OperatorFactory(name="Over", max_active_contacts=1)
    gone = OperatorFactory(name="Gone", is_active=False, max_active_contacts=2)
    for operator in (full, over, gone):
        ContactFactory.create_batch(2, operator=operator)
    shown, rest = read(admin).split('<details id="board-operators-rest">')
    operators = r'operators/operator/\d+/change/">([^<]*)</a>\s*(?:<small>(.*?)</small>)?</th>'
    rows = re.findall(operators, shown)
    assert rows[:2] == [("Over", "1 above the limit"), ("Full", "no free place")]
    assert len(rows) == 20
    assert re.findall(operators, rest)[-1] == ("Gone", "inactive")
    assert "Show all (23)" in rest


@pytest.mark.usefixtures("midday")
def test_every_chart_has_its_figures_as_a_table(admin):
    ContactFactory.create_batch(3, status="closed")
    html = read(admin)
    for name, columns, rows in (("hours", 1, 24), ("days", 2, 14)):
        table = re.search(rf'<details id="board-{name}-table">(.*?)</details>', html, re.DOTALL)[1]
        assert table.count("<tr>") == rows + 1
        assert re.findall(r"<td>(\d+)</td>", table)[-columns:] == ["3"] * columns
        chart = re.search(rf'<section class="board-card" id="board-{name}".*?</svg>', html, re.S)[0]
        assert chart.count("<rect") == columns


def test_an_empty_house_says_what_to_do_first(admin):
    html = read(admin, "/admin/")
    steps = re.search(r'<ol class="board-steps">(.*?)</ol>', html, re.DOTALL)[1]
    links = re.findall(r'href="(.*?)"', steps)
    assert len(links) == 4
    assert all(admin.get(link).status_code == 200 for link in links)
    assert "board-done" not in steps
    for text in ("No operators yet.", "Nobody waits"):
        assert text in html
    assert "No sources yet." in read(admin, "/admin/dashboard/fairness/")
    OperatorFactory()
    assert read(admin).count("board-done") == 1
    ContactFactory(operator=AssignmentFactory().operator)
    assert "board-steps" not in read(admin)


@pytest.mark.parametrize("path", ["/admin/", "/admin/dashboard/", "/admin/dashboard/fairness/"])
def test_a_stranger_is_sent_to_sign_in(client, path):
    page = client.get(path)
    assert (page.status_code, page.url) == (302, f"/admin/login/?next={path}")


@pytest.mark.parametrize(
    "permissions", [[], ["view_operator"], ["view_contact"], ["view_source", "change_contact"]]
)
def test_who_may_not_see_the_figures_has_the_plain_index(client, permissions):
    clerk = staff(client, *permissions)
    assert 'class="board"' not in read(clerk, "/admin/")
    assert clerk.get("/admin/dashboard/").status_code == 403
    assert clerk.get("/admin/dashboard/fairness/").status_code == 403


def test_who_may_see_operators_and_contacts_sees_the_figures(client):
    clerk = staff(client, "view_operator", "view_contact")
    assert 'class="board"' in read(clerk, "/admin/")
    assert "board-totals" in read(clerk)


def test_it_is_read_only(admin):
    assert admin.post("/admin/dashboard/").status_code == 405


def test_no_name_becomes_markup(admin):
    ContactFactory(
        operator=OperatorFactory(name=HOSTILE, max_active_contacts=1), lead__name=HOSTILE
    )
    ContactFactory.create_batch(2, operator=Operator.objects.get())
    source = AssignmentFactory(source__name=HOSTILE, operator__name=HOSTILE).source
    AssignmentFactory(source=source, operator__name=HOSTILE)
    create_contact(Inquiry(source, "lead"))
    ContactFactory(source=SourceFactory(name=HOSTILE), lead__name=HOSTILE)
    for path in ("/admin/", "/admin/dashboard/fairness/"):
        html = read(admin, path)
        assert "<script>alert" not in html
        assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;") > 3


def test_it_has_no_script_or_handler_in_line(admin):
    random_house(0)
    html = read(admin, "/admin/")
    board = html[html.index('<div class="board">') :]
    assert "<script" not in board[: board.index("board-fairness")]
    assert not re.search(r"\son\w+=", board)


def test_numbers_and_bars_survive_a_decimal_comma(admin):
    OperatorFactory(max_active_contacts=3)
    ContactFactory(operator=Operator.objects.get())
    html = read(admin, language="ru")
    bars = " ".join(re.findall(r"<rect[^>]*>", html))
    numbers = re.findall(r' (?:x|y|width|height)="([^"]*)"', bars)
    assert numbers
    assert all(re.fullmatch(r"[\d.e-]+", number) for number in numbers)


def house_of(count):
    source = None
    for number in range(count):
        source = AssignmentFactory().source
        AssignmentFactory(source=source)
        create_contact(Inquiry(source, f"lead {number}"))
        ContactFactory(source=source, operator=None)
        ContactFactory(source=SourceFactory())
        OperatorFactory()


@pytest.mark.parametrize("count", [2, 50])
def test_it_takes_a_fixed_number_of_queries(admin, count, django_assert_num_queries):
    house_of(count)
    with django_assert_num_queries(16):
        admin.get("/admin/")
    with django_assert_num_queries(16):
        admin.get("/admin/dashboard/")
    cache.clear()
    with django_assert_num_queries(7):
        admin.get("/admin/dashboard/fairness/")


def test_the_fairness_of_a_new_source_does_not_wait_for_the_cache(admin):
    SourceFactory(name="First")
    read(admin, "/admin/dashboard/fairness/")
    SourceFactory(name="Second")
    assert "<b>Second</b>" in read(admin, "/admin/dashboard/fairness/")


def test_many_sources_are_judged_a_few_at_a_time(admin, monkeypatch):
    monkeypatch.setattr("stats.draws.AT_ONCE", 2)
    SourceFactory.create_batch(5)
    for rows, words in ((2, "3 more sources are"), (4, "1 more source is"), (5, "")):
        html = read(admin, "/admin/dashboard/fairness/")
        assert html.count('class="board-source"') == rows
        assert words in html
        assert ("data-incomplete" in html) == bool(words)


def test_who_was_judged_longest_ago_is_judged_again_first(admin, monkeypatch, time_machine):
    monkeypatch.setattr("stats.draws.AT_ONCE", 1)
    first, second = SourceFactory.create_batch(2)
    start = timezone.now()
    for seconds, told in ((0, None), (50, None), (70, "1 draw so far"), (71, None)):
        time_machine.move_to(start + timedelta(seconds=seconds), tick=False)
        html = read(admin, "/admin/dashboard/fairness/")
        if seconds == 50:
            for source in (first, second):
                AssignmentFactory.create_batch(2, source=source)
                create_contact(Inquiry(source, "lead"))
        if told:
            assert html.count(told) == 1
    assert html.count("1 draw so far") == 1


def test_more_sources_than_are_shown_lead_to_their_list(admin, monkeypatch):
    monkeypatch.setattr("stats.dashboard.SOURCES_SHOWN", 2)
    SourceFactory.create_batch(2)
    assert "There are more sources" not in read(admin, "/admin/dashboard/fairness/")
    SourceFactory()
    html = read(admin, "/admin/dashboard/fairness/")
    assert html.count('class="board-source"') == 2
    assert "There are more sources" in html
