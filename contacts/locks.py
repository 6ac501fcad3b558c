"""What is locked for a decision, and in which order: operators by pk, then sources by pk, then
contacts. Everything is locked before it is looked at: a count in the locking statement would see
the snapshot from before the wait (docs/decisions/0001-lock-then-count.md).

An arrival that serves a queue and then has to wait itself locks the contacts of the one before the
source of the other. Nobody can hold them against it: who takes from a queue holds its operators.

Who holds leads makes nobody wait for the contacts of theirs: others lock several in orders of their
own, some while they hold what we would have to wait for.
"""

import time
from collections.abc import Callable, Collection
from typing import TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet

from contacts.models import Contact
from crm_project.errors import Busy, StaleError
from operators.models import Operator
from sources.models import Assignment, Source

Result = TypeVar("Result")

ATTEMPTS = 40
# Seconds; what locks a contact otherwise takes milliseconds.
PAUSE = 0.05


def settled(attempt: Callable[[], Result]) -> Result:
    """Run `attempt` in a transaction, again for as long as it finds itself StaleError.

    That means that somebody else's work was done meanwhile, so this ends.
    """
    while True:
        try:
            with transaction.atomic():
                return attempt()
        except StaleError:
            continue


def settled_soon(attempt: Callable[[], Result]) -> Result:
    """The same where somebody else's work is not waited for but looked at again after a pause.

    Raises Busy where that goes on for seconds.
    """
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return attempt()
        except StaleError:
            time.sleep(PAUSE)
    raise Busy


def lock_contacts_of(leads: Collection[int]) -> QuerySet[Contact]:
    """Lock all contacts of these leads, which are locked, so that no other arrives meanwhile.

    Raises StaleError where somebody holds one of them.
    """
    theirs = Contact.objects.filter(lead__in=leads).order_by()
    free = theirs.select_for_update(no_key=True, skip_locked=True)
    if len(free.values_list("pk")) < theirs.count():
        raise StaleError
    return theirs


def lock_operators(
    *, sources: Collection[int] = (), operators: Collection[int] = ()
) -> dict[int, Operator]:
    """Lock everyone assigned to the sources, and the operators named beside them.

    Waits for whoever holds one of the locks. An operator who does not exist is left out.
    """
    if not sources and not operators:
        return {}
    wanted = Q(pk__in=operators)
    if sources:
        assigned = Assignment.objects.filter(source__in=sources).values("operator")
        wanted = Q(pk__in=assigned) | wanted if operators else Q(pk__in=assigned)
    locked = Operator.objects.filter(wanted).order_by("pk").select_for_update(no_key=True)
    return {operator.pk: operator for operator in locked}


def lock_sources(sources: Collection[int]) -> None:
    """Lock the sources, against each other, of whoever parks a contact there and whoever newly
    serves them or hands out what waits.

    Else the one finds nobody assigned while the other finds nobody waiting.
    """
    rows = Source.objects.filter(pk__in=sources).order_by("pk").select_for_update(no_key=True)
    list(rows.values_list("pk"))


def lock_for_parking(sources: Collection[int], *, serving: Collection[int]) -> None:
    """Lock the sources in whose queue a contact may come to wait.

    Raises StaleError where somebody has come to serve them who is not among `serving`, the locked
    operators.
    """
    if sources:
        lock_sources(sources)
        if Assignment.objects.filter(source__in=sources).exclude(operator__in=serving).exists():
            raise StaleError
