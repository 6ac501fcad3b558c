"""By what people narrow the list of contacts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str

from contacts.models import WAITING, Contact


class DaysFilter(RangeDateFilter):
    """From the first to the last of two days, both whole, in the service's time zone."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if first := self._day("from"):
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": first})
        if after := self._day("to", later=1):
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": after})
        return queryset

    def _day(self, which: str, *, later: int = 0) -> datetime | None:
        """The first moment of the day, so many days later; None where no such day was given."""
        given = self.used_parameters.get(f"{self.parameter_name}_{which}")
        try:
            day = parse_date_str(given) if isinstance(given, str) else None
            day = day and day + timedelta(days=later)
            return (
                make_aware(datetime(day.year, day.month, day.day)).astimezone(UTC) if day else None
            )
        except (ValueError, OverflowError):
            return None


class YesNoFilter(admin.SimpleListFilter):
    """Those of whom `condition` is true, or the others."""

    condition: Q

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        match self.value():
            case "yes":
                return queryset.filter(self.condition)
            case "no":
                return queryset.exclude(self.condition)
        return queryset


class WaitingFilter(YesNoFilter):
    title = _("waiting")
    parameter_name = "waiting"
    condition = WAITING


class EscalatedFilter(YesNoFilter):
    title = _("not taken in time")
    parameter_name = "escalated"
    condition = Q(escalated_at__isnull=False)
