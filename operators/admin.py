from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts.selectors import with_load
from contacts.staffing import change_operator, delete_operator
from crm_project.api.access import actor_of
from operators.hours_admin import HoursMixin
from operators.models import Operator


@admin.register(Operator)
class OperatorAdmin(HoursMixin):
    list_display = ["name", "is_active", "current_load", "max_active_contacts"]
    list_filter = ["is_active", "sources"]
    search_fields = ["name"]
    readonly_fields = ["current_load", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operator]:
        return with_load(super().get_queryset(request))

    @admin.display(description=_("open contacts"), ordering="current_load")
    def current_load(self, operator: Operator) -> int:
        return getattr(operator, "current_load", 0)

    def save_model(self, request: HttpRequest, obj: Operator, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            change_operator(obj, changes, actor=actor_of(request))
        else:
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Operator) -> None:
        delete_operator(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Operator]) -> None:
        for operator in queryset:
            delete_operator(operator, actor=actor_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Contacts and assignments are no hindrance, and too many to list."""
        return [str(each) for each in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []
