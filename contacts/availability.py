"""Who of some sources' operators can take a contact, as of one moment."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from django.utils import timezone

from contacts.distribution import SMOOTH_WEIGHTED, Candidate, Decision, sort_out, weigh, weigh_next
from contacts.models import Load
from contacts.rotation import Rotations
from contacts.selectors import who_serves
from operators.models import Operator
from sources.models import Source


class Availability:
    """The operators of some sources with their loads, what was given here included."""

    def __init__(
        self,
        sources: Collection[int],
        *,
        locked: dict[int, Operator] | None = None,
        now: datetime | None = None,
    ) -> None:
        """Read weights and loads now. `locked` None: only to look, else only these may be chosen:
        somebody assigned since the locks were taken is not ours to choose. `now` is the moment for
        working hours, the present one where it is None.
        """
        self.locked = locked or {}
        self.now = now or timezone.now()
        self.rotations = Rotations()
        self._by_source: dict[int, list[Candidate]] = {pk: [] for pk in sources}
        self._hands_out: dict[int, bool] = {}
        self._with_queue: set[int] = set()
        # Loads as they were read, and what was given and freed since.
        self._read: dict[int, int] = {}
        self._given: defaultdict[int, int] = defaultdict(int)
        # What `weigh` said last of a source, for as long as that holds, and whom it concerns.
        self._weighed: dict[int, Decision] = {}
        self._serves: defaultdict[int, list[int]] = defaultdict(list)
        if not sources or locked == {}:
            return
        for served in who_serves(sources, now=self.now):
            source_id, operator_id = served.source_id, served.by.operator_id
            if locked is None or operator_id in locked:
                self._by_source[source_id].append(served.by)
                self._read[operator_id] = served.by.load
                self._serves[operator_id].append(source_id)
                self._hands_out[source_id] = served.hands_out
                if served.hands_out and served.has_queue:
                    self._with_queue.add(source_id)

    def candidates(self, source: Source) -> list[Candidate]:
        """The source's operators with their loads as of now."""
        return self._as_of_now(source.pk).copy()

    def _as_of_now(self, source_id: int) -> list[Candidate]:
        """Only of whom something was given since the last look, another candidate is made."""
        team, read, given = self._by_source[source_id], self._read, self._given
        for place, each in enumerate(team):
            new = read[each.operator_id] + given[each.operator_id] - each.load
            if new:
                team[place] = each.loaded(new)
        return team

    def assigned(self, source: Source, operator_id: int | None) -> Candidate | None:
        """The operator as one of the source's; None if not assigned to it."""
        mine = (each for each in self.candidates(source) if each.operator_id == operator_id)
        return next(mine, None)

    def load_of(self, operator_id: int) -> int:
        """The open contacts of an operator, assigned or not."""
        kept = Load.objects.filter(operator=operator_id).values_list("open_contacts", flat=True)
        return (kept.first() or 0) + self._given[operator_id]

    def with_room(self, sources: Iterable[int]) -> list[int]:
        """Those of the sources that have somebody who can take a contact."""
        return [pk for pk in sources if any(not each.unavailable() for each in self._as_of_now(pk))]

    def hands_out(self, source: Source) -> bool:
        """Does the source hand out by itself, as of now? `source` may have been read before."""
        return self._hands_out.get(source.pk, source.auto_assign_waiting)

    def with_queue(self, sources: Iterable[int]) -> list[int]:
        """Those of the sources where somebody waits whose turn comes before any newcomer's."""
        return [pk for pk in sources if pk in self._with_queue]

    def queues_are_empty(self, sources: Iterable[int]) -> None:
        """Take note that everybody who waited in the sources has been served."""
        self._with_queue.difference_update(sources)

    def weigh(
        self, source: Source, *, exclude: Collection[int] = (), preferred: int | None = None
    ) -> Decision:
        """With what odds each of the source's operators would get a contact now."""
        anybody = not exclude and preferred is None
        if anybody and (known := self._weighed.get(source.pk)):
            return known
        candidates, skipped = sort_out(self.candidates(source), exclude=exclude)
        if source.strategy == SMOOTH_WEIGHTED and candidates:
            candidates = self.rotations.with_turns(source, candidates)
        weighed = weigh(candidates, skipped, strategy=source.strategy, preferred=preferred)
        if anybody:
            self._weighed[source.pk] = weighed
        return weighed

    def give(self, operator_id: int) -> None:
        """Count one more open contact as this operator's."""
        self._given[operator_id] += 1
        for source_id in self._serves[operator_id]:
            known = self._weighed.pop(source_id, None)
            # Many at once ask for many: to weigh anew takes longer than all the rest.
            if known and (weighed := weigh_next(known, operator_id)):
                self._weighed[source_id] = weighed

    def free(self, operator_id: int) -> None:
        """Count one open contact less as this operator's."""
        self._given[operator_id] -= 1
        for source_id in self._serves[operator_id]:
            self._weighed.pop(source_id, None)
