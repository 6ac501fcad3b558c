"""Changes of operators, sources and assignments that move contacts: who becomes able to take more
gets what waits, in the same transaction; whose contacts are released sees them go to others.

What moves none is in `operators.services` and `sources.services`. Lock order: `contacts.locks`.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from contacts.handout import BATCH, Handout, How
from contacts.history import Kind
from contacts.locks import lock_for_parking, lock_operators, lock_sources, settled
from contacts.models import OPEN, WAITING, Contact
from contacts.selectors import queues, queues_of
from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_deleted, note_values
from crm_project.errors import Conflict, StaleError
from operators.models import DayOff, Operator, Shift
from operators.services import set_hours, update_operator
from sources.models import Assignment, Source
from sources.services import set_weight, update_source

Result = TypeVar("Result")


class OperatorActive(Conflict):
    default_code = "operator_active"
    default_detail = _("The operator is active. Repeat with deactivate to stop new contacts.")


@dataclass(frozen=True, slots=True)
class Release:
    """How many contacts an operator gave up, how many found another one, how many wait; `to`: how
    many each got, by names, `left`: how many wait in each source.
    """

    released: int
    reassigned: int
    waiting: int
    to: dict[str, int]
    left: dict[Source, int]


def change_operator(
    operator: Operator,
    changes: dict[str, Any],
    *,
    expected: dict[str, Any] | None = None,
    **how: Unpack[How],
) -> Operator:
    """Change the given fields; who can take more now gets what waits.

    `expected` are values that the change rests on; raises Conflict where one is another now,
    and Operator.DoesNotExist where somebody has deleted the operator meanwhile.
    """
    return _then_fill(
        lambda: queues_of([operator.pk]),
        lambda: update_operator(
            operator, now=how.get("now"), actor=_actor(how), expected=expected, **changes
        ),
        operators=[operator.pk],
        **how,
    )


def change_hours(
    operator: Operator,
    *,
    shifts: Collection[Shift] | None = None,
    days_off: Collection[DayOff] | None = None,
    **how: Unpack[How],
) -> Operator:
    """Give the operator other working hours; who works now gets what waits.

    None leaves the ones or the others as they are. Raises Operator.DoesNotExist.
    """
    return _then_fill(
        lambda: queues_of([operator.pk]),
        lambda: set_hours(
            operator,
            shifts=shifts,
            days_off=days_off,
            now=how.get("now"),
            actor=_actor(how),
        ),
        operators=[operator.pk],
        **how,
    )


def assign(
    *, operator_id: int, source_id: int, weight: int, **how: Unpack[How]
) -> tuple[Assignment, bool]:
    """Assign the operator to the source at this weight; the flag tells whether that is new.

    What waits in the source goes to the operator. Raises a ValidationError that names the one
    that does not exist.
    """
    return _then_fill(
        lambda: queues(Source.objects.filter(pk=source_id)),
        lambda: set_weight(
            operator_id=operator_id, source_id=source_id, weight=weight, actor=_actor(how)
        ),
        operators=[operator_id],
        sources=[source_id],
        **how,
    )


def change_source(
    source: Source,
    changes: dict[str, Any],
    *,
    expected: dict[str, Any] | None = None,
    **how: Unpack[How],
) -> Source:
    """Change the given fields; what waits goes out where `auto_assign_waiting` is switched on.

    `expected` are values that the change rests on; raises Conflict where one is another now,
    and a ValidationError where somebody has just taken the code.
    """
    if not changes.get("auto_assign_waiting"):
        return update_source(source, actor=_actor(how), expected=expected, **changes)
    waiting = Source.objects.filter(pk=source.pk, contacts__in=Contact.objects.filter(WAITING))
    return _then_fill(
        lambda: frozenset(waiting.values_list("pk", flat=True)),
        lambda: update_source(source, actor=_actor(how), expected=expected, **changes),
        sources=[source.pk],
        **how,
    )


def fill_waiting(
    sources: QuerySet[Source],
    *,
    switched_off: bool = False,
    progress: Callable[[int], None] = lambda handed: None,
    **how: Unpack[How],
) -> int:
    """Hand out what waits in the sources and can be taken, one bounded transaction after the
    other; return how many contacts went. `progress` is told that number after each.

    Where `auto_assign_waiting` is off, only with `switched_off`.
    """

    def batch() -> int:
        found = queues(sources, switched_off=switched_off)
        return Handout(found, locked=lock_operators(sources=found), **how).fill(found)

    handed, last = 0, BATCH
    while last == BATCH:
        last = settled(batch)
        handed += last
        progress(handed)
    return handed


def _then_fill(
    find_queues: Callable[[], frozenset[int]],
    change: Callable[[], Result],
    *,
    operators: Collection[int] = (),
    sources: Collection[int] = (),
    **how: Unpack[How],
) -> Result:
    """Make the change with everybody locked whom it concerns, then hand out from the queues.

    `sources` are locked where somebody who waits there could else go unseen.
    """

    def attempt() -> tuple[Result, frozenset[int], int]:
        found = find_queues()
        locked = lock_operators(sources=found, operators=operators)
        if sources:
            lock_sources(sources)
        if not find_queues() <= found:
            raise StaleError
        result = change()
        return result, found, Handout(found, locked=locked, **how).fill(found)

    result, found, handed = settled(attempt)
    if handed == BATCH:
        fill_waiting(Source.objects.filter(pk__in=found), **how)
    return result


def release_operator(operator_id: int, *, deactivate: bool = False, **how: Unpack[How]) -> Release:
    """Hand an inactive operator's open contacts out again; what finds nobody waits.

    Raises OperatorActive for an active one unless `deactivate`, which does both at once, and
    Operator.DoesNotExist.
    """

    def check(operator: Operator) -> None:
        if operator.is_active and not deactivate:
            raise OperatorActive
        update_operator(operator, actor=_actor(how), is_active=False)

    return settled(lambda: _release(operator_id, check, how))


def delete_operator(operator: Operator, **how: Unpack[How]) -> Release:
    """Release an operator's open contacts, then delete him or her.

    Closed contacts stay, without operator. Raises Operator.DoesNotExist where that has been done
    meanwhile.
    """

    def delete() -> Release:
        released = _release(operator.pk, lambda locked: None, how)
        Contact.objects.filter(operator=operator).update(operator=None)
        for assignment in operator.assignments.select_related("source").order_by("pk"):
            values = {"weight": (assignment.weight, None)}
            note_values(assignment.source, values, actor=_actor(how), about=operator.name)
        note_deleted(operator, actor=_actor(how))
        operator.delete()
        return released

    return settled(delete)


def _release(operator_id: int, first: Callable[[Operator], None], how: How) -> Release:
    """Hand out the operator's open contacts, oldest first, to anybody else, after doing `first`
    with the locked operator.
    """
    mine = Contact.objects.filter(OPEN, operator=operator_id)
    sources = set(mine.order_by().values_list("source", flat=True).distinct())
    locked = lock_operators(sources=sources, operators=[operator_id])
    if operator_id not in locked:
        raise Operator.DoesNotExist
    first(locked[operator_id])
    lock_for_parking(sources, serving=locked)
    contacts = list(
        mine.select_for_update(no_key=True, of=("self",))
        .select_related("source", "operator")
        .order_by("created_at", "pk")
    )
    # One of yet another source may have arrived before we had the lock.
    if not {contact.source_id for contact in contacts} <= sources:
        raise StaleError
    handout = Handout(sources, locked=locked, **how)
    handout.expect(contacts)
    for contact in contacts:
        handout.give(contact, kind=Kind.RELEASE, exclude={operator_id})
    handout.write(contacts)
    to = Counter(contact.operator.name for contact in contacts if contact.operator)
    left = Counter(contact.source for contact in contacts if not contact.operator)
    return Release(len(contacts), to.total(), left.total(), dict(to), dict(left))


def _actor(how: How) -> Actor:
    return how.get("actor", SYSTEM)
