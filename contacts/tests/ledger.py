"""The books that a history is held against: what must be so, by rules written a second time.

Nothing here asks the product how it decides: loads are counted, lots looked up and turns taken
anew, so that a slip in the one is not a slip in the other.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from contacts.history import replay
from contacts.models import Contact, DecisionRecord
from contacts.selectors import with_load
from leads.models import Lead
from operators.models import Operator
from operators.schedule import DaysOff, Shift
from operators.tests.wall_clock import works


@dataclass
class Person:
    active: bool
    limit: int
    shifts: list[Shift] = field(default_factory=list)
    days_off: list[DaysOff] = field(default_factory=list)


@dataclass
class Channel:
    active: bool = True
    auto: bool = True
    sticky: bool = False
    strategy: str = "weighted_random"
    minutes: int | None = None
    handovers: int = 2


@dataclass
class Case:
    """A contact as it should be."""

    source: int
    lead: str
    created: datetime
    status: str = "new"
    operator: int | None = None
    assigned: datetime | None = None
    waiting: datetime | None = None
    handovers: int = 0
    escalated: datetime | None = None
    # From whom it was taken since the handovers are counted.
    had: set[int] = field(default_factory=set, compare=False)

    def begin_anew(self):
        self.handovers, self.escalated, self.had = 0, None, set()

    @property
    def is_open(self):
        return self.status != "closed"


@dataclass
class Ledger:
    people: dict[int, Person] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    weights: dict[tuple[int, int], int] = field(default_factory=dict)  # (operator, source)
    cases: dict[int, Case] = field(default_factory=dict)
    now: datetime = field(default_factory=timezone.now)
    # What a smooth rotation has come to, per source and set of operators with weights.
    turns: defaultdict = field(default_factory=lambda: defaultdict(Counter))
    drawn: list[float] = field(default_factory=list)
    seen: int = 0  # the newest decision that was looked at
    at_rest: bool = True  # else somebody was killed while handing out

    # --- what is so ---------------------------------------------------------------------------

    def load(self, operator):
        return sum(case.is_open and case.operator == operator for case in self.cases.values())

    def has_room(self, operator):
        person = self.people[operator]
        on_shift = self.on_shift(operator)
        return person.active and on_shift and self.load(operator) < person.limit

    def on_shift(self, operator):
        person, zone = self.people[operator], ZoneInfo(settings.TIME_ZONE)
        return works(self.now, person.shifts, person.days_off, zone)

    def serving(self, source):
        return sorted(operator for operator, other in self.weights if other == source)

    def free(self, source, exclude=()):
        """Who could take a contact of the source at this moment."""
        serving = self.serving(source)
        return [each for each in serving if each not in exclude and self.has_room(each)]

    def overdue(self):
        """Ids of those who should have been taken by now, the latest first."""
        late = [
            (case.assigned, pk)
            for pk, case in self.cases.items()
            if case.status == "new" and case.operator and not case.escalated
            if (minutes := self.channels[case.source].minutes)
            and case.assigned + timedelta(minutes=minutes) <= self.now
        ]
        return [pk for _, pk in sorted(late)]

    def queue(self, *sources):
        """Ids of those who wait, whose turn is first before the others."""
        waiting = [pk for pk, case in self.cases.items() if case.waiting and case.source in sources]
        return sorted(waiting, key=lambda pk: (self.cases[pk].waiting, pk))

    def latest_operator(self, lead):
        """Who had the latest contact of the lead that anybody had."""
        theirs = [
            (case.created, pk, case.operator)
            for pk, case in self.cases.items()
            if case.lead == lead and case.operator
        ]
        return max(theirs)[2] if theirs else None

    def pass_time(self, seconds):
        """Who comes on shift is not handed anything before the next tick of the clock."""
        before = {each for each in self.people if self.on_shift(each)}
        self.now += timedelta(seconds=seconds)
        if any(self.on_shift(each) and each not in before for each in self.people):
            self.at_rest = False

    # --- what happened ------------------------------------------------------------------------

    def arrived(self, contact, source, lead):
        assert contact.pk not in self.cases
        self.cases[contact.pk] = Case(source, lead, self.now)

    def closed(self, pk):
        self.cases[pk].status, self.cases[pk].waiting = "closed", None
        self.cases[pk].begin_anew()

    def read_decisions(self, expected=()):
        """Enter the decisions made since the last time, each judged by what was so before it.

        `expected` are pairs of contact and kind that must be decided first and in this order;
        whatever follows, or comes before arrivals, serves the queue. Returns how many there were.
        """
        records = list(DecisionRecord.objects.filter(pk__gt=self.seen).order_by("pk"))
        asked = [(each.contact_id, each.kind) for each in records if each.kind != "waiting"]
        assert asked == list(expected), f"decided {asked}, not {expected}"
        for record in records:
            self.seen = record.pk
            assert record.created_at == self.now
            assert record.source_id == self.cases[record.contact_id].source
            self._enter(record)
        draws = [each.draw for each in records if each.draw is not None]
        assert draws == self.drawn, "each draw decides once, in its turn"
        self.drawn.clear()
        return len(records)

    def _enter(self, record):
        case = self.cases[record.contact_id]
        previous, kind = case.operator, record.kind
        assert record.previous_operator_id == previous
        assert case.is_open == (kind != "reopen")
        if kind == "manual":
            self._judge_by_hand(record)
            self._give(case, record.operator_id)
            return
        assert not record.forced
        if kind == "timeout":
            self._hand_on(record, case)
            return
        if kind == "waiting":
            self._judge_the_turn(record)
        chosen = self._choice(record, case)
        if kind == "reopen":
            case.status = "new"
        stays = kind == "reassign" and previous and self._may_keep(case)
        if stays and chosen is None:
            assert record.operator_id == previous, "it stays where it is"
        else:
            assert record.operator_id == chosen, f"{kind}: {record.operator_id}, not {chosen}"
            self._give(case, chosen)

    def _give(self, case, operator):
        case.operator = operator
        case.assigned = self.now if operator else None
        case.waiting = None if operator else case.waiting or self.now
        case.begin_anew()

    def _hand_on(self, record, case):
        """To somebody who did not have it, often enough, then it stays and is marked."""
        assert record.contact_id in self.overdue()
        previous, had = case.operator, case.had | {case.operator}
        often_enough = case.handovers >= self.channels[case.source].handovers
        if often_enough:
            assert (record.candidates, record.skipped, record.draw) == ([], [], None)
        chosen = None if often_enough else self._choice(record, case)
        assert record.operator_id == (chosen or previous)
        if chosen:
            count = case.handovers + 1
            self._give(case, chosen)
            case.handovers, case.had = count, had
        else:
            case.escalated = self.now

    def _may_keep(self, case):
        return self.people[case.operator].active and (case.operator, case.source) in self.weights

    def _judge_by_hand(self, record):
        person = self.people[record.operator_id]
        full = self.load(record.operator_id) >= person.limit
        assert person.active
        assert record.operator_id != record.previous_operator_id
        assert record.forced == full, "I1: above the limit by force alone, and that is recorded"
        assert (record.strategy, record.candidates, record.skipped) == ("", [], [])
        assert record.draw is None

    def _judge_the_turn(self, record):
        """I8, and over all sources of whoever takes it."""
        assert record.operator_id, "nobody is handed out to nobody"
        assert self.queue(record.source_id)[0] == record.contact_id, "I8"
        if self.at_rest:
            theirs = {source for who, source in self.weights if who == record.operator_id}
            auto = {source for source in theirs if self.channels[source].auto}
            assert self.queue(*auto, record.source_id)[0] == record.contact_id, "the oldest of all"

    def _choice(self, record, case):
        """Who has to get it; None: it waits, or stays. Compares all that was recorded."""
        channel, source, kind = self.channels[case.source], case.source, record.kind
        before = case.operator
        exclude = {before} if kind in {"reassign", "release", "timeout"} else set()
        if kind == "timeout":
            exclude |= case.had
        free = self.free(source, exclude)
        blocked = kind != "waiting" and channel.auto and bool(self.queue(source))
        if kind == "reopen" and before in free and not blocked:
            assert record.strategy == "sticky"
            assert [each["operator_id"] for each in record.candidates] == [before]
            return before
        self._compare(record, source, free, exclude)
        preferred = self.latest_operator(case.lead) if channel.sticky else None
        if preferred in free:
            assert record.strategy == "sticky"
            assert record.draw is None
            return None if blocked else preferred
        assert record.strategy == channel.strategy
        if blocked or not free:
            assert record.draw is None
            return None
        chosen = self._by_strategy(record, source, free)
        again = replay(record.strategy, record.candidates, record.draw)
        assert again == record.operator_id == chosen, "I7"
        return chosen

    def _compare(self, record, source, free, exclude):
        """I1, I2 and I4: the candidates are those who could take it, the others have a reason."""
        shown = [
            (each["operator_id"], each["weight"], each["current_load"], each["max_active_contacts"])
            for each in record.candidates
        ]
        assert shown == [
            (each, self.weights[each, source], self.load(each), self.people[each].limit)
            for each in free
        ]
        reasons = {each["operator_id"]: each["reason"] for each in record.skipped}
        assert reasons == {
            each: "excluded" if each in exclude else self._why_not(each)
            for each in self.serving(source)
            if each not in free
        }

    def _why_not(self, operator):
        if not self.people[operator].active:
            return "inactive"
        return "full" if self.on_shift(operator) else "off_hours"

    def _by_strategy(self, record, source, free):
        weights = [self.weights[each, source] for each in free]
        if record.strategy == "least_loaded":
            return min(
                free,
                key=lambda each: (
                    self.load(each) / self.people[each].limit,
                    -self.weights[each, source],
                    each,
                ),
            )
        if record.strategy == "smooth_weighted":
            # nginx's own words: everybody gains the weight, the richest pays for all.
            purse = self.turns[source, tuple(zip(free, weights, strict=True))]
            purse.update(dict(zip(free, weights, strict=True)))
            richest = max(free, key=lambda each: (purse[each], -each))
            purse[richest] -= sum(weights)
            return richest
        rest = record.draw * sum(weights)
        for each, weight in zip(free, weights, strict=True):
            if rest < weight:
                return each
            rest -= weight
        raise AssertionError("the draw is not below 1")

    # --- the database against the books -------------------------------------------------------

    def compare_with_the_database(self):
        names = ("source", "lead__external_id", "created_at", "status", "operator", "assigned_at")
        rows = Contact.objects.order_by("pk").values_list(
            "pk", *names, "waiting_since", "handovers", "escalated_at", "closed_at"
        )
        found = {pk: Case(*rest) for pk, *rest, _ in rows}
        assert found == self.cases, "nothing is lost, and everybody has what was decided"
        for *_, status, _, _, _, _, _, closed_at in rows:
            assert (status == "closed") == (closed_at is not None), "I5"
        leads = sorted(Lead.objects.values_list("external_id", flat=True))
        assert leads == sorted({case.lead for case in self.cases.values()}), "I6"
        loads = dict(with_load(Operator.objects.all()).values_list("pk", "current_load"))
        assert loads == {pk: self.load(pk) for pk in self.people}, "I2"

    def nobody_waits_in_vain(self):
        for pk in self.queue(*(each for each, channel in self.channels.items() if channel.auto)):
            source = self.cases[pk].source
            assert not self.free(source), f"I3: {pk} waits while {self.free(source)} have room"
