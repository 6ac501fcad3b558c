"""Who can take a contact, held still for the time of a decision.

The one place that locks operators for a distribution. First the locks, in order of pk; then, in
the next statement, the weights and loads: a count in the locking statement would see the snapshot
from before the wait (docs/decisions/0001-lock-then-count.md).
"""

from collections import Counter
from collections.abc import Callable, Collection

from django.db.models import Q

from contacts.distribution import Candidate, Decision, decide
from contacts.models import OPEN, Contact
from contacts.selectors import as_candidate, assignments_with_load
from operators.models import Operator
from sources.models import Assignment, Source


class Availability:
    """The operators of some sources, locked until the end of the transaction."""

    def __init__(self, *, sources: Collection[int] = (), operators: Collection[int] = ()) -> None:
        """Lock everyone assigned to the sources, and the operators named beside them.

        Waits for whoever holds one of the locks. An operator who does not exist is left out.
        """
        wanted = Q(pk__in=operators)
        if sources:
            assigned = Assignment.objects.filter(source__in=sources).values("operator")
            wanted = Q(pk__in=assigned) | wanted if operators else Q(pk__in=assigned)
        locked = Operator.objects.filter(wanted).order_by("pk").select_for_update(no_key=True)
        self.operators = {operator.pk: operator for operator in locked}
        self.sources = set(sources)
        self._by_source: dict[int, list[Candidate]] = {pk: [] for pk in self.sources}
        self._taken: Counter[int] = Counter()
        if self.sources and self.operators:
            for row in assignments_with_load(list(self.sources)):
                # Somebody assigned since the locks were taken is not ours to choose.
                if row.operator_id in self.operators:
                    self._by_source[row.source_id].append(as_candidate(row))

    def candidates(self, source: Source) -> list[Candidate]:
        """The source's operators with their loads as of now, what was taken here included."""
        return [
            candidate.loaded(self._taken[candidate.operator_id])
            for candidate in self._by_source[source.pk]
        ]

    def assigned(self, source: Source, operator_id: int | None) -> Candidate | None:
        """The operator as one of the source's; None if not assigned to it."""
        by_id = {candidate.operator_id: candidate for candidate in self.candidates(source)}
        return by_id.get(operator_id) if operator_id is not None else None

    def decide(
        self, source: Source, *, draw: Callable[[], float], exclude: int | None = None
    ) -> Decision:
        """Choose one of the source's operators and count the contact as theirs."""
        decision = decide(self.candidates(source), draw=draw, exclude=exclude)
        if decision.chosen:
            self._taken[decision.chosen.operator_id] += 1
        return decision

    def has_room(self, operator_id: int) -> bool:
        """Is this locked operator, assigned or not, below the limit?"""
        load = Contact.objects.filter(OPEN, operator=operator_id).count()
        return load < self.operators[operator_id].max_active_contacts
