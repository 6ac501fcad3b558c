"""What is counted once is what is there, whatever is done, in whatever order."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from itertools import count
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from contacts.clock import tick
from contacts.invariants import check_all
from contacts.models import Contact, ContactTally, DecisionRecord, DrawTally, Mark
from contacts.services import change_status, reassign_contact
from contacts.staffing import delete_operator
from contacts.tally import folding, marks, triggers
from contacts.tally.drift import drift
from contacts.tally.folding import in_turns, keep_up
from contacts.tally.reading import closed_contacts, draws_of
from contacts.tally.recounting import count_anew
from contacts.tally.spans import Span, cover
from contacts.tests.factories import ContactFactory
from contacts.tests.scenes import arrive, serve
from crm_project.copying import take_ids
from crm_project.testing.threads import at_once, elsewhere, until_somebody_waits
from leads.models import Lead
from leads.tests.factories import LeadFactory
from operators.tests.factories import OperatorFactory
from sources.tests.factories import SourceFactory

DAY = timedelta(days=1)
MOMENTS = st.datetimes(datetime(2023, 11, 1), datetime(2026, 2, 1), timezones=st.just(UTC))


def counted(source, period=(None, None)):
    """By going through all rows."""
    since, until = period
    rows = Contact.objects.filter(source=source, closed_at__isnull=False)
    rows = rows.filter(created_at__gte=since) if since else rows
    rows = rows.filter(created_at__lt=until) if until else rows
    found = {}
    for pk in rows.values_list("operator", flat=True):
        found[pk] = found.get(pk, 0) + 1
    return found


def drawn(source):
    rows = DecisionRecord.objects.filter(source=source).exclude(odds="")
    found = {}
    for key in rows.values_list("odds", "operator_id"):
        found[key] = found.get(key, 0) + 1
    return found


def drawn_by_tally(source):
    found = {}
    for each in draws_of(source.pk):
        key = each.odds, each.operator_id
        found[key] = found.get(key, 0) + each.times
    return found


def count_all():
    """Settled is what an earlier call saw, after whatever goes on in the server has ended."""
    deadline = time.monotonic() + 60
    tables = {marks.DRAWS: DecisionRecord, marks.LEADS: Lead}
    keep_up(least=1)
    while any(marks.up_to(name) < marks.newest_id(tables[name].objects) for name in tables):
        assert time.monotonic() < deadline
        keep_up(least=1)


@given(since=st.none() | MOMENTS, until=st.none() | MOMENTS, created=MOMENTS)
def test_every_moment_is_in_the_cover_of_a_period_once_or_not_at_all(since, until, created):
    parts = cover(since, until)
    rows = {Span.DAY: created.date(), Span.MONTH: created.date().replace(day=1), Span.EVER: None}

    def has(piece):
        start = rows.get(piece.span, created.date())
        after = piece.first is None or start >= piece.first
        return after and (piece.end is None or start < piece.end)

    fresh = [each for each in parts.pieces if each.span == Span.FRESH and has(each)]
    added = [each for each in parts.pieces if each.span != Span.FRESH and has(each)]
    edges = [each for each in parts.edges if each[0] <= created < each[1]]
    within = (since is None or since <= created) and (until is None or created < until)
    # Whether it has been added up or not.
    assert len(fresh) + len(edges) == len(added) + len(edges) == within
    assert all(end - start < 2 * DAY for start, end in parts.edges if parts.pieces)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_a_period_may_begin_and_end_where_the_calendar_does(moment):
    cover(moment.replace(tzinfo=UTC), None), cover(None, moment.replace(tzinfo=UTC))


@pytest.mark.django_db
class TestClosedContacts:
    @pytest.mark.parametrize("number", range(4))
    def test_they_are_counted_whatever_happens_to_the_rows(self, number):
        chance = random.Random(number)
        sources = SourceFactory.create_batch(2)
        operators = [*OperatorFactory.create_batch(2), None]
        born = datetime(2026, 1, 29, 12, tzinfo=UTC)

        def make(pk):
            status = chance.choice(["new", "closed"])
            created = born + chance.randint(0, 6) * DAY
            operator, source = chance.choice(operators), chance.choice(sources)
            ContactFactory(source=source, operator=operator, status=status, created_at=created)

        def close(pk):
            Contact.objects.filter(pk=pk).update(
                status="closed", closed_at=timezone.now(), waiting_since=None
            )

        def reopen(pk):
            rows = Contact.objects.filter(pk=pk, operator__isnull=False)
            rows.update(status="new", closed_at=None)

        def change(pk):
            rows = Contact.objects.filter(pk=pk, status="closed")
            rows.update(
                source=chance.choice(sources),
                operator=chance.choice(operators[:2]),
                assigned_at=timezone.now(),
                created_at=F("created_at") + chance.randint(-40, 40) * DAY,
            )

        def delete(pk):
            Contact.objects.filter(pk=pk).delete()

        def add_up(pk):
            keep_up(least=1)

        for _ in range(80):
            pk = Contact.objects.order_by("?").values_list("pk", flat=True).first()
            work = [make, make, make, close, close, reopen, change, change, delete, add_up]
            chance.choice(work)(pk)
            for source in sources:
                assert closed_contacts(source.pk) == counted(source)
        period = born + 2 * DAY + timedelta(hours=7), born + 40 * DAY
        for source in sources:
            found = closed_contacts(source.pk, since=period[0], until=period[1])
            assert found == counted(source, period)
        assert list(drift()) == []

    def test_what_stays_open_leaves_no_trace(self):
        contact = ContactFactory(operator=OperatorFactory())
        Contact.objects.filter(pk=contact.pk).update(operator=OperatorFactory(), status="new")
        contact.delete()
        assert not ContactTally.objects.exists()

    def test_what_was_closed_is_one_row_for_each_span_in_the_end(self):
        source = SourceFactory()
        moment = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
        for created in (moment, moment, moment + timedelta(minutes=1)):
            ContactFactory(source=source, status="closed", created_at=created)
        keep_up(least=1)
        rows = ContactTally.objects.order_by("span", "start").values_list("span", "start", "count")
        assert list(rows) == [
            ("day", date(2026, 1, 31), 2),
            ("day", date(2026, 2, 1), 1),
            ("ever", None, 3),
            ("month", date(2026, 1, 1), 2),
            ("month", date(2026, 2, 1), 1),
        ]

    def test_a_few_are_left_as_they_are(self):
        ContactFactory(status="closed")
        tick()
        assert ContactTally.objects.get().span == Span.FRESH

    def test_those_of_a_deleted_operator_stay_without_one(self):
        operator, source = OperatorFactory(), SourceFactory()
        ContactFactory.create_batch(3, source=source, operator=operator, status="closed")
        keep_up(least=1)
        delete_operator(operator)
        assert closed_contacts(source.pk) == {None: 3}

    def test_the_triggers_are_there_after_all_migrations(self):
        # SQLite loses them where a migration makes the table anew: call `triggers.install` there.
        assert triggers.missing() == []


@pytest.mark.django_db(transaction=True)
class TestDrawsAndLeads:
    def test_they_are_counted_on_and_never_twice(self):
        source = SourceFactory()
        for _ in range(3):
            serve(source, max_active_contacts=50)
        for number in range(20):
            arrive(source, f"lead:{number}")
            keep_up(least=1)
            assert drawn_by_tally(source) == drawn(source)
        count_all()
        assert DrawTally.objects.exists()
        assert Mark.objects.get(name=marks.LEADS).count == Lead.objects.count()
        assert list(drift()) == []

    def test_pruned_ones_are_taken_out(self):
        source = SourceFactory()
        serve(source, max_active_contacts=50), serve(source, max_active_contacts=50)
        long_ago = timezone.now() - 40 * DAY
        for number in range(6):
            contact, _ = arrive(source, f"lead:{number}", now=long_ago + number * DAY)
            change_status(contact.pk, status="closed")
        count_all()
        before = drawn(source)
        call_command("prune_history", "--older-than=37", stdout=StringIO())
        assert drawn_by_tally(source) == drawn(source) != before
        assert list(drift()) == []

    @pytest.mark.postgres
    def test_what_is_still_being_written_is_not_passed_over(self):
        source = SourceFactory()
        serve(source, max_active_contacts=50), serve(source, max_active_contacts=50)
        with transaction.atomic():
            arrive(source, "lead:slow")

            def meanwhile():
                quick = SourceFactory()
                serve(quick), serve(quick)
                arrive(quick, "lead:quick")
                keep_up(least=1), keep_up(least=1), keep_up(least=1)
                return marks.up_to(marks.DRAWS)

            assert elsewhere(meanwhile) < DecisionRecord.objects.get(source=source).pk
        count_all()
        assert marks.up_to(marks.DRAWS) == marks.newest_id(DecisionRecord.objects.all())
        assert drawn_by_tally(source) == drawn(source)
        assert list(drift()) == []

    @pytest.mark.postgres
    def test_who_has_an_id_but_no_row_yet_is_waited_for(self, held_before_its_row):
        """Until then PostgreSQL gives the transaction no id either, and any other may commit."""
        # The sequence writes down 32 ids ahead, and only that would give it one.
        LeadFactory()
        with held_before_its_row("lead:slow") as release:
            LeadFactory(external_id="lead:quick")
            keep_up(least=1)
            release()
            for _ in range(3):
                keep_up(least=1)
            assert marks.up_to(marks.LEADS) == 0
        count_all()
        assert Mark.objects.get(name=marks.LEADS).count == Lead.objects.count() == 3
        assert list(drift()) == []

    @pytest.mark.postgres
    def test_ids_that_were_taken_beforehand_are_waited_for(self):
        with transaction.atomic():
            first, *_ = take_ids(Lead, 3)

            def meanwhile():
                LeadFactory()
                for _ in range(3):
                    keep_up(least=1)
                return marks.up_to(marks.LEADS)

            assert elsewhere(meanwhile) < first
            LeadFactory(pk=first)
        count_all()
        assert Mark.objects.get(name=marks.LEADS).count == 2


HOLD = """
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW;
    END $$;
    CREATE TRIGGER hold BEFORE INSERT ON leads_lead FOR EACH ROW
      WHEN (NEW.external_id = 'lead:slow') EXECUTE FUNCTION hold();
"""


@pytest.fixture
def held_before_its_row():
    """Inside the block a lead has got its id but no row, and once released a row that is not
    committed.
    """

    @contextmanager
    def hold(external_id):
        begun, end = threading.Event(), threading.Event()

        def insert():
            with transaction.atomic():
                begun.set()
                LeadFactory(external_id=external_id)
                end.wait(30)
            connection.close()

        with connection.cursor() as cursor:
            cursor.execute(HOLD)
            cursor.execute("SELECT pg_advisory_lock(1)")
            thread = threading.Thread(target=insert)
            thread.start()
            try:
                assert begun.wait(10)
                until_somebody_waits()
                yield lambda: cursor.execute("SELECT pg_advisory_unlock(1)")
            finally:
                cursor.execute("SELECT pg_advisory_unlock_all()")
                end.set()
                thread.join()
                cursor.execute("DROP TRIGGER hold ON leads_lead; DROP FUNCTION hold")

    return hold


def test_much_to_add_up_keeps_neither_the_clock_nor_the_rest_from_its_turn(monkeypatch):
    turns = []
    # A second passes from each look at the time to the next.
    monkeypatch.setattr(folding, "time", SimpleNamespace(monotonic=count().__next__))

    def endless():
        turns.append("endless")
        return 1

    def short():
        turns.append("short")
        return 0

    in_turns([endless, short], seconds=4)
    assert turns == ["endless", "short", "endless", "endless"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_or_counted_twice_while_all_work_at_once():
    source = SourceFactory()
    operators = [serve(source, max_active_contacts=20) for _ in range(3)]
    ids = [arrive(source, f"lead:{number}")[0].pk for number in range(12)]
    calls = []
    for number in range(60):
        pk, status = ids[number % 12], ["closed", "new"][number // 12 % 2]
        calls.append(lambda pk=pk, status=status: change_status(pk, status=status))
        calls.append(lambda number=number: arrive(source, f"late:{number}"))
        if number % 5 == 0:
            calls.append(lambda: keep_up(least=1))
        if number % 20 == 0:
            calls.append(lambda: call_command("recount", "--at-once", stdout=StringIO()))
    calls.insert(60, lambda: delete_operator(operators[0]))
    _, errors = at_once(calls, 6)
    assert errors == []
    assert closed_contacts(source.pk) == counted(source)
    assert drawn_by_tally(source) == drawn(source)
    count_all()
    assert list(drift()) == []
    assert drawn_by_tally(source) == drawn(source)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_what_is_closed_while_all_is_counted_anew_is_counted_once():
    source = SourceFactory()
    contact = ContactFactory(source=source, operator=OperatorFactory())
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE contacts_contact IN ACCESS EXCLUSIVE MODE")
            counting = pool.submit(elsewhere, count_anew)
            until_somebody_waits()
            change_status(contact.pk, status="closed")
        counting.result()
    assert closed_contacts(source.pk) == counted(source) != {}


@pytest.mark.django_db(transaction=True)
class TestDrift:
    @pytest.fixture
    def source(self):
        source = SourceFactory()
        serve(source, max_active_contacts=50), serve(source, max_active_contacts=50)
        for number in range(4):
            contact, _ = arrive(source, f"lead:{number}")
            change_status(contact.pk, status="closed")
        count_all()
        return source

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda: ContactTally.objects.filter(span="day").update(count=F("count") + 1),
            lambda: ContactTally.objects.filter(span="month").update(count=F("count") + 1),
            lambda: ContactTally.objects.filter(span="ever").delete(),
            lambda: DrawTally.objects.filter(span="day").first().delete(),
            lambda: DecisionRecord.objects.first().delete(),
        ],
    )
    def test_it_is_told_and_mended(self, source, spoil):
        spoil()
        broken = {each.invariant.name for each in check_all(records=100) if each.breaches}
        assert broken == {"tallies"}
        with pytest.raises(CommandError, match="recount"):
            call_command("recount", "--check", stdout=StringIO())
        call_command("recount", stdout=StringIO())
        count_all()
        assert list(drift()) == []
        assert closed_contacts(source.pk) == counted(source)
        assert drawn_by_tally(source) == drawn(source)
        out = StringIO()
        call_command("recount", stdout=out)
        assert out.getvalue() == "All figures are right.\n"

    def test_leads_too(self, source):
        Mark.objects.filter(name=marks.LEADS).update(count=17)
        assert [each for each in drift() if each.startswith("leads")]

    def test_a_trigger_that_is_missing_is_told(self, source):
        with connection.schema_editor() as editor:
            triggers.remove(editor)
        try:
            found = [each for each in check_all(records=1) if each.invariant.name == "tallies"]
            assert found[0].breaches == [f"trigger {name} is missing" for name in triggers.NAMES]
        finally:
            with connection.schema_editor() as editor:
                triggers.install(editor)


@pytest.mark.django_db
def test_the_figures_do_not_change_when_they_are_added_up(api):
    source = SourceFactory()
    serve(source, max_active_contacts=3), serve(source, max_active_contacts=3)
    for number in range(8):
        arrive(source, f"lead:{number}")
    for pk in Contact.objects.values_list("pk", flat=True)[:4]:
        change_status(pk, status="closed")
    reassign_contact(Contact.objects.exclude(status="closed").first().pk)
    urls = ["/stats", f"/stats/sources/{source.pk}"]
    urls.append(f"{urls[1]}?since=2020-01-01T05:00:00Z&until=2120-01-01T05:00:00Z")
    before = [api.get(url).json() for url in urls]
    keep_up(least=1), keep_up(least=1)
    assert [api.get(url).json() for url in urls] == before
    assert before[0]["closed_contacts"] == 4
    assert before[1] == before[2]
