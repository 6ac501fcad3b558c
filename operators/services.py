"""Every write to operators, save their deletion, which first hands out their contacts
(`contacts.staffing.delete_operator`).

Shifts and days off are written under the lock of their operator, together with the span of time
that follows from them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from crm_project.actor import SYSTEM, Actor
from crm_project.audit.services import note_changed, note_created, note_values
from crm_project.errors import Conflict
from operators.models import DayOff, Operator, Shift
from operators.schedule import CYCLE, DaysOff, working_span
from operators.schedule import Shift as WeeklyShift

Row = TypeVar("Row", bound=models.Model)

TOLD_OF_NEW = [
    "name",
    "is_active",
    "max_active_contacts",
    "time_zone",
    "user",
    "email",
    "telegram_chat_id",
]


@transaction.atomic
def create_operator(*, actor: Actor = SYSTEM, **fields: Any) -> Operator:
    """Make an operator; a field that is not given has its default."""
    operator = Operator.objects.create(**fields)
    note_created(operator, TOLD_OF_NEW, actor=actor)
    return operator


@transaction.atomic
def update_operator(
    operator: Operator,
    *,
    now: datetime | None = None,
    actor: Actor = SYSTEM,
    expected: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Operator:
    """Change the given fields and no other.

    A limit below the load is taken: nothing is taken away, nothing new comes. With the time zone
    the shift moves. `expected` are values that the change rests on; raises Conflict where one is
    another now, and Operator.DoesNotExist where it has been deleted meanwhile.
    """
    # The lock makes every distribution see either all of the change or none of it.
    locked = _locked(operator)
    if any(getattr(locked, name) != value for name, value in (expected or {}).items()):
        raise Conflict
    before = {name: getattr(locked, name) for name in changes}
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.save(update_fields=list(changes))
    note_changed(locked, before, actor=actor, now=now)
    if "time_zone" in changes:
        _work_out([locked], now or timezone.now())
    return locked


@transaction.atomic
def set_hours(
    operator: Operator,
    *,
    shifts: Collection[Shift] | None = None,
    days_off: Collection[DayOff] | None = None,
    now: datetime | None = None,
    actor: Actor = SYSTEM,
) -> Operator:
    """Let the operator have these shifts and days off and no others; None leaves them as they are.

    Without shifts an operator works always, save on days off. Raises Operator.DoesNotExist.
    """
    locked = _locked(operator)
    before = _hours_in_words(locked)
    if shifts is not None:
        _replace(Shift.objects.filter(operator=locked), shifts, locked)
    if days_off is not None:
        _replace(DayOff.objects.filter(operator=locked), days_off, locked)
    after = _hours_in_words(locked)
    note_values(
        locked, {name: (before[name], after[name]) for name in before}, actor=actor, now=now
    )
    _work_out([locked], now or timezone.now())
    return locked


def renew_shifts(now: datetime) -> int:
    """Put the next shift in the place of each that has ended; return how many there were."""
    ended = Operator.objects.filter(shift_ends_at__lte=now)
    # On SQLite a transaction keeps all others from writing.
    if not ended.exists():
        return 0
    with transaction.atomic():
        locked = list(ended.order_by("pk").select_for_update(no_key=True))
        _work_out(locked, now)
    return len(locked)


def _hours_in_words(operator: Operator) -> dict[str, str]:
    """What the account of changes says of them."""
    shifts = Shift.objects.filter(operator=operator).order_by("weekday", "starts")
    days_off = DayOff.objects.filter(operator=operator).order_by("first_day")
    return {
        gettext_noop("working hours"): "; ".join(str(each) for each in shifts),
        gettext_noop("days off"): "; ".join(str(each) for each in days_off),
    }


def _locked(operator: Operator) -> Operator:
    return Operator.objects.select_for_update(no_key=True).get(pk=operator.pk)


def _replace(stored: models.QuerySet[Row], wanted: Collection[Row], operator: Operator) -> None:
    """Delete and make rows until those stored say the same as those wanted."""
    names = [field.name for field in stored.model._meta.concrete_fields]
    names = [name for name in names if name not in {"id", "operator"}]

    def told(row: models.Model) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in names)

    rest = {told(row): row for row in wanted}
    gone = [row.pk for row in stored if rest.pop(told(row), None) is None]
    stored.filter(pk__in=gone).delete()
    stored.model._default_manager.bulk_create(
        stored.model(operator=operator, **dict(zip(names, values, strict=True))) for values in rest
    )


def _work_out(operators: Sequence[Operator], now: datetime) -> None:
    """Write into the locked operators when they work, now or next."""
    shifts: defaultdict[int, list[WeeklyShift]] = defaultdict(list)
    days_off: defaultdict[int, list[DaysOff]] = defaultdict(list)
    for each in Shift.objects.filter(operator__in=operators):
        shifts[each.operator_id].append(WeeklyShift(each.weekday, each.starts, each.ends))
    recent = now.date() - CYCLE - timedelta(days=1)
    for off in DayOff.objects.filter(operator__in=operators, last_day__gte=recent):
        days_off[off.operator_id].append(DaysOff(off.first_day, off.last_day))
    for operator in operators:
        operator.shift_starts_at, operator.shift_ends_at = working_span(
            shifts[operator.pk], days_off[operator.pk], zone=operator.zone, now=now
        )
    Operator.objects.bulk_update(operators, ["shift_starts_at", "shift_ends_at"])
