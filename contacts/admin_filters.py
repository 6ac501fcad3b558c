"""By what people narrow the list of contacts."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts.models import WAITING, Contact

# Of the newest so many contacts the messages are searched; a longer look back wants a filter
# that narrows the list, or the API.
NEWEST = 20_000
# So many leads at most can match what is searched for.
MOST_LEADS = 500


class WaitingFilter(admin.SimpleListFilter):
    title = _("waiting")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        match self.value():
            case "yes":
                return queryset.filter(WAITING)
            case "no":
                return queryset.exclude(WAITING)
        return queryset
