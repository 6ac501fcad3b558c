"""What-if over the history of a source: the command, and that it decides as the service does."""

import heapq
import json
import random
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from contacts.arrivals import history_of, team_of
from contacts.distribution import STRATEGIES
from contacts.models import Contact
from contacts.services import Inquiry, change_status, create_contact
from contacts.simulation import Arrival, Busy, Scenario, Workload, replay
from contacts.tests.factories import ContactFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import AssignmentFactory, SourceFactory

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _no_time_passes(time_machine):
    time_machine.move_to(timezone.now(), tick=False)


@pytest.fixture
def source():
    return SourceFactory(name="Telegram", code="tg")


def assign(source, name, *, weight=1, limit=10, **fields):
    operator = OperatorFactory(name=name, max_active_contacts=limit, **fields)
    return AssignmentFactory(source=source, operator=operator, weight=weight).operator


@pytest.fixture
def anna(source):
    return assign(source, "Anna", weight=3)


@pytest.fixture
def boris(source):
    return assign(source, "Boris")


def past(source, operator, *, ago, lasted=None, **fields):
    """A contact that came so long ago and was closed after so long; None: it is open still."""
    created = timezone.now() - ago
    state = {"status": Contact.Status.CLOSED, "closed_at": created + lasted} if lasted else {}
    return ContactFactory(
        source=source,
        operator=operator,
        created_at=created,
        assigned_at=created,
        **state,
        **fields,
    )


def busy_day(source, operator, contacts=40):
    """A contact a minute, each done within half of one."""
    for number in range(contacts):
        past(source, operator, ago=HOUR + number * MINUTE, lasted=MINUTE / 2)


def simulate(*arguments, runs=3):
    out = StringIO()
    words = ["simulate", "--source", "tg", "--runs", str(runs), "--processes", "1", *arguments]
    call_command(*words, stdout=out)
    return out.getvalue()


def document(*arguments, **options):
    return json.loads(simulate("--json", *arguments, **options))


def shares(scenario):
    return {each["operator_name"]: each["share"]["mean"] for each in scenario["operators"]}


def test_the_history_is_replayed_with_the_people_of_today(source, anna, boris):
    busy_day(source, anna)
    found = document(runs=50)
    assert found["source_code"] == "tg"
    assert (found["arrivals"], found["handling"]) == ("replayed", "observed")
    assert found["today"]["contacts"] == {"mean": 40, "p5": 40, "p95": 40}
    assert shares(found["today"]) == pytest.approx({"Anna": 0.75, "Boris": 0.25}, abs=0.05)
    assert found["today"]["waited"]["mean"] == 0
    assert found["today"]["wait_seconds_p95"] is None
    assert found["changed"] is None


def test_other_weights_shift_the_shares(source, anna, boris):
    busy_day(source, anna)
    found = document("--weights", "Anna=1", f"{boris.pk}=3", runs=50)
    assert shares(found["today"])["Anna"] == pytest.approx(0.75, abs=0.05)
    assert shares(found["changed"])["Anna"] == pytest.approx(0.25, abs=0.05)


def test_a_lower_limit_makes_contacts_wait(source, anna):
    for number in range(3):
        past(source, anna, ago=10 * HOUR + number * MINUTE, lasted=HOUR)
    found = document("--limits", "Anna=1")
    assert found["today"]["waited"]["mean"] == 0
    changed = found["changed"]
    assert changed["waited"]["mean"] == 2
    assert changed["wait_seconds_median"]["mean"] == pytest.approx((59 + 118) / 2 * 60, abs=1)
    assert changed["still_waiting"]["mean"] == 0
    assert changed["operators"][0]["max_active_contacts"] == 1
    use_today = found["today"]["operators"][0]["capacity_use"]["mean"]
    assert changed["operators"][0]["capacity_use"]["mean"] == pytest.approx(use_today * 10)


def test_new_people_come_and_others_go(source, anna, boris):
    busy_day(source, anna)
    found = document("--remove", "Boris", "--add", "Zoe=3:5", "Yan = X=6:7", runs=50)
    team = found["changed"]["operators"]
    assert [
        (each["operator_id"], each["operator_name"], each["weight"], each["max_active_contacts"])
        for each in team
    ] == [(anna.pk, "Anna", 3, 10), (None, "Zoe", 3, 5), (None, "Yan = X", 6, 7)]
    expected = {"Anna": 0.25, "Zoe": 0.25, "Yan = X": 0.5}
    assert shares(found["changed"]) == pytest.approx(expected, abs=0.06)


def test_another_strategy(source, anna, boris):
    busy_day(source, anna)
    found = document("--strategy", "smooth_weighted")
    assert found["today"]["strategy"] == "weighted_random"
    assert found["changed"]["strategy"] == "smooth_weighted"
    assert shares(found["changed"]) == {"Anna": 0.75, "Boris": 0.25}


def test_an_inactive_operator_gets_nothing(source, anna):
    assign(source, "Boris", is_active=False)
    busy_day(source, anna)
    assert shares(document()["today"]) == {"Anna": 1, "Boris": 0}
    assert "Boris (inactive)" in simulate()


def test_contacts_of_other_sources_take_places(source, boris):
    other = SourceFactory()
    past(source, boris, ago=10 * HOUR, lasted=HOUR)
    for _ in range(10):
        past(other, boris, ago=11 * HOUR, lasted=2 * HOUR)
    found = document()["today"]
    assert found["waited"]["mean"] == 1
    assert found["wait_seconds_median"]["mean"] == pytest.approx(3600, abs=1)


def test_what_is_not_closed_takes_as_long_as_another(source, anna):
    past(source, anna, ago=3 * HOUR, lasted=MINUTE)
    past(source, anna, ago=2 * HOUR)
    found = document()
    assert found["today"]["waited"]["mean"] == 0
    assert "For 1, still open or never handed out, it is drawn from the other 1." in simulate()


def test_without_a_history_contacts_come_at_random(source, anna, boris):
    found = document("--rate", "10", "--handling", "30", "--days", "5")
    assert (found["arrivals"], found["handling"]) == ("poisson", "exponential")
    assert (found["rate_per_hour"], found["handling_seconds_mean"]) == (10, 1800)
    assert found["today"]["contacts"]["mean"] == pytest.approx(1200, abs=100)
    assert shares(found["today"])["Anna"] == pytest.approx(0.75, abs=0.05)


def test_a_rate_alone_takes_the_handling_times_of_the_history(source, anna):
    past(source, anna, ago=HOUR, lasted=30 * MINUTE)
    found = document("--rate", "2", "--days", "10")
    assert (found["arrivals"], found["handling"]) == ("poisson", "observed")
    use = found["today"]["operators"][0]["capacity_use"]["mean"]
    assert use == pytest.approx(2 * 0.5 / 10, rel=0.2)


def test_nobody_today_and_somebody_tomorrow(source):
    text = simulate("--rate", "1", "--handling", "10", "--days", "1", "--add", "Zoe=1:5")
    assert "Zoe" in text
    found = document("--rate", "1", "--handling", "10", "--days", "1", "--add", "Zoe=1:5")
    assert found["today"]["operators"] == []
    assert found["today"]["still_waiting"]["mean"] == found["today"]["contacts"]["mean"] > 0
    assert found["changed"]["still_waiting"]["mean"] == 0


def test_the_text_shows_both_sides_in_one_table(source, anna, boris):
    busy_day(source, anna, contacts=4)
    text = simulate("--strategy", "smooth_weighted", "--weights", "Anna=1", "--limits", "Boris=5")
    lines = text.splitlines()
    assert lines[0].startswith("Telegram (tg), weighted_random → smooth_weighted: as today → chang")
    (row,) = [line for line in lines if line.startswith("Anna")]
    assert row.startswith("Anna        3 → 1   10     ")
    assert "→ 50.0" in row
    assert "The same 4 contacts come, at the same moments." in text
    assert "\r" not in text


def test_the_text_tells_how_long_contacts_wait(source, anna):
    for number in range(3):
        past(source, anna, ago=10 * HOUR + number * MINUTE, lasted=HOUR)
    past(source, anna, ago=10 * HOUR, lasted=MINUTE / 3)
    lines = simulate("--limits", "Anna=1").splitlines()
    (waited,) = [line for line in lines if line.startswith("Waited")]
    (median,) = [line for line in lines if line.startswith("  wait, median")]
    assert waited.endswith("0 →          3")
    # 59, 118 and 178 minutes.
    assert median.endswith("– → 1 h 58 min")


def test_the_same_seed_draws_the_same_in_however_many_processes(source, anna, boris):
    arguments = ["--rate", "10", "--handling", "30", "--days", "1"]

    def drawn(*more):
        return document(*arguments, *more)["today"]

    assert drawn() == drawn("--processes", "2") != drawn("--seed", "2")


def test_nothing_is_written(source, anna, django_assert_num_queries):
    busy_day(source, anna, contacts=2)
    with django_assert_num_queries(5) as asked:
        simulate("--weights", "Anna=1")
    assert all(query["sql"].startswith("SELECT") for query in asked.captured_queries)
    assert connection.in_atomic_block


def test_a_terminal_sees_how_far_it_is(source, anna):
    class Terminal(StringIO):
        def isatty(self):
            return True

    busy_day(source, anna, contacts=2)
    out = Terminal()
    call_command("simulate", source="tg", runs=2, processes=1, stdout=out, no_color=True)
    assert "\r" + "#" * 20 + "." * 20 + " 1 / 2" in out.getvalue()
    out = Terminal()
    call_command("simulate", source="tg", runs=2, processes=1, json=True, stdout=out)
    assert json.loads(out.getvalue())


BOTH = ["Anna", "Boris"]
NOBODY_CALLED = 'nobody with the id or name "Zoe" serves this source. Assigned: Anna ('


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "Zoe=2"], f"--weights: {NOBODY_CALLED}"),
        (["--limits", "Zoe=2"], f"--limits: {NOBODY_CALLED}"),
        (["--remove", "Zoe"], f"--remove: {NOBODY_CALLED}"),
        (["--remove", "Anna", "--weights", "Anna=2"], "Assigned: Boris ("),
        (["--weights", "Anna"], '--weights: write "Anna" as OP=WEIGHT, for example Anna=3.'),
        (["--limits", "Anna"], '--limits: write "Anna" as OP=LIMIT, for example Anna=3.'),
        (["--weights", "Anna=0"], 'a weight is a whole number from 1 to 1000, not "0".'),
        (["--weights", "Anna=1001"], 'a weight is a whole number from 1 to 1000, not "1001".'),
        (["--weights", "Anna=many"], 'a weight is a whole number from 1 to 1000, not "many".'),
        (["--limits", "Anna=10001"], 'a limit is a whole number from 1 to 10000, not "10001".'),
        (["--add", "Zoe"], '--add: write "Zoe" as NAME=WEIGHT:LIMIT, for example Zoe=2:8.'),
        (["--add", "Zoe=2"], '--add: write "Zoe=2" as NAME=WEIGHT:LIMIT, for example Zoe=2:8.'),
        (["--add", "=2:8"], '--add: write "=2:8" as NAME=WEIGHT:LIMIT, for example Zoe=2:8.'),
        (["--add", "Zoe=0:8"], '--add: a weight is a whole number from 1 to 1000, not "0".'),
        (["--add", "Zoe=1:"], '--add: a limit is a whole number from 1 to 10000, not "".'),
        (["--remove", "Anna", "Boris"], "Nobody serves tg. --add somebody: Zoe=2:8"),
        (["--strategy", "best"], "--strategy must be one of: weighted_random, least_loaded,"),
        (["--days", "0"], "--days must be from 1 to 366."),
        (["--days", "367"], "--days must be from 1 to 366."),
        (["--runs", "0"], "--runs must be from 1 to 10000."),
        (["--processes", "0"], "--processes must be from 1 to 256."),
        (["--rate", "0"], "--rate must be a number of contacts an hour above 0."),
        (["--rate", "nan"], "--rate must be a number of contacts an hour above 0."),
        (["--rate", "1e9"], "--rate and --days make more than 1000000 contacts: lower one of them"),
        (["--handling", "0"], "--handling must be above 0 and at most 1000000 minutes."),
        (["--handling", "nan"], "--handling must be above 0 and at most 1000000 minutes."),
        (["--days", "soon"], "argument --days: invalid int value: 'soon'"),
        (["--source", "vk"], 'There is no source "vk". There are: tg.'),
        ([], "Nothing came through tg in these 14 days."),
        (["--handling", "5"], "give --rate and --handling to simulate without a history."),
        (["--rate", "5"], "it is not known how long one takes: give --handling"),
    ],
)
def test_a_wrong_argument_says_what_to_do(source, anna, boris, arguments, message):
    with pytest.raises(CommandError) as raised:
        simulate(*arguments)
    assert message in str(raised.value)


def test_an_ambiguous_name_asks_for_an_id(source, anna):
    namesake = assign(source, "Anna")
    with pytest.raises(
        CommandError, match=f"several .*: give an id instead: {anna.pk}, {namesake.pk}"
    ):
        simulate("--weights", "Anna=2")


def test_where_nothing_is_closed_yet_a_handling_time_is_asked_for(source, anna):
    past(source, anna, ago=HOUR)
    with pytest.raises(CommandError, match="give --handling"):
        simulate()
    assert document("--handling", "5")["handling"] == "exponential"


def test_a_source_of_its_own_rules_says_so(anna, source):
    source.sticky, source.auto_assign_waiting = True, False
    source.save()
    busy_day(source, anna, contacts=2)
    text = simulate()
    assert "A lead who comes again" in text
    assert "this source does not by itself" in text


def test_the_contacts_of_one_who_leaves_go_too(source, anna, boris):
    past(SourceFactory(), boris, ago=2 * HOUR, lasted=HOUR)
    busy_day(source, anna, contacts=2)
    text = simulate("--weights", "Anna=1")
    assert "The operators' other contacts, of other sources or older (1), take places" in text
    assert "left out" not in text
    assert "A removed operator's are left out." in simulate("--remove", "Boris")


def test_the_history_is_read_in_seconds_since_its_start(source, anna):
    until = timezone.now()
    since = until - 10 * HOUR
    mine = past(source, anna, ago=8 * HOUR, lasted=HOUR)
    past(source, anna, ago=7 * HOUR)
    past(source, anna, ago=12 * HOUR, lasted=3 * HOUR)
    past(source, anna, ago=12 * HOUR, lasted=HOUR)
    past(SourceFactory(), anna, ago=5 * HOUR)
    past(SourceFactory(), OperatorFactory(), ago=5 * HOUR)
    found = history_of(source, [anna.pk], since=since, until=until)
    hours = [(round(each.at / 3600, 2), each.handling) for each in found.arrivals]
    assert hours == [(2, 3600), (3, None)]
    assert found.arrivals[0].lead == mine.lead_id
    assert found.observed == (3600,)
    assert [
        Busy(each.operator_id, round(each.since / 3600, 2), round(each.until / 3600, 2))
        for each in found.busy
    ] == [Busy(anna.pk, -2, 1), Busy(anna.pk, 5, 10)]


@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_decides_as_the_service_does(source, strategy, sticky):
    for name, weight, limit in (("Anna", 3, 2), ("Boris", 2, 1), ("Vera", 1, 3)):
        assign(source, name, weight=weight, limit=limit)
    source.strategy, source.sticky = strategy, sticky
    source.save()
    rng = random.Random(1)
    arrivals = tuple(
        # No two things happen at once.
        Arrival(number * 60.0, rng.randrange(60, 700) + number / 100, lead=rng.randrange(12))
        for number in range(40)
    )
    scenario = Scenario(team_of(source), strategy, sticky)
    log = replay(scenario, Workload(40 * 60.0, arrivals), seed="1")
    real = served(source, arrivals, random.Random("1 draws").random)
    assert [
        (each.arrived, each.operator_id, pytest.approx(each.assigned)) for each in log.handings
    ] == real
    assert any(each.assigned > each.arrived for each in log.handings)


def served(source, arrivals, draw):
    """The same arrivals through the service: when each came, who got it, and at what moment."""
    start, handling = timezone.now(), {}
    closings = []

    def seconds(moment):
        return (moment - start).total_seconds()

    def settle(now):
        for contact in Contact.objects.filter(assigned_at=now).order_by("pk"):
            closed = now + timedelta(seconds=handling[contact.pk])
            heapq.heappush(closings, (closed, contact.pk))

    def go_on_until(moment):
        while closings and closings[0][0] <= moment:
            now, contact_id = heapq.heappop(closings)
            change_status(contact_id, status=Contact.Status.CLOSED, draw=draw, now=now)
            settle(now)

    for arrival in arrivals:
        now = start + timedelta(seconds=arrival.at)
        go_on_until(now)
        inquiry = Inquiry(source, f"lead:{arrival.lead}")
        contact, _ = create_contact(inquiry, draw=draw, now=now)
        handling[contact.pk] = arrival.handling
        settle(now)
    go_on_until(start + timedelta(seconds=40 * 60))
    rows = Contact.objects.filter(operator__isnull=False).order_by("assigned_at", "pk")
    return [
        (seconds(each.created_at), each.operator_id, seconds(each.assigned_at)) for each in rows
    ]
