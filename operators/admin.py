from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from contacts.selectors import with_load
from contacts.staffing import change_operator, delete_operator, release_operator
from contacts.wording import release_in_words
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import CarefulAdmin, tell_each
from operators.export_admin import OperatorExport
from operators.hours_admin import HoursMixin
from operators.models import Operator
from operators.services import TOLD_OF_NEW
from sources.assignment_admin import SavesAssignments, SourcesInline


@admin.register(Operator)
class OperatorAdmin(
    OperatorExport, SavesAssignments, HoursMixin, AuditedAdmin, CarefulAdmin, ModelAdmin
):
    told_of_new = TOLD_OF_NEW
    list_display = ["name", "is_active", "load_bar", "max_active_contacts"]
    list_filter = ["is_active", "sources"]
    search_fields = ["name"]
    readonly_fields = ["load_bar", "created_at"]
    autocomplete_fields = ["user"]
    inlines = [SourcesInline, *HoursMixin.inlines]
    actions = ["activate", "deactivate", "release"]
    change_form_outer_before_template = "admin/operators/operator/buttons.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operator]:
        return with_load(super().get_queryset(request))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only a user whom one may see can be linked."""
        if db_field.name == "user":
            users = self.admin_site.get_model_admin(db_field.remote_field.model)
            kwargs["queryset"] = users.get_queryset(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("open contacts"), ordering="current_load")
    def load_bar(self, operator: Operator) -> str:
        load, limit = getattr(operator, "current_load", 0), operator.max_active_contacts
        return format_html(
            '<span class="crm-load"><svg class="crm-bar{}" viewBox="0 0 100 4"'
            ' preserveAspectRatio="none" aria-hidden="true"><rect width="{}" height="4"/></svg>'
            " {}</span>",
            " crm-bar-full" if load >= limit else "",
            f"{min(100, 100 * load / limit):.1f}",
            _("%(load)d of %(limit)d") % {"load": load, "limit": limit},
        )

    @admin.action(description=gettext_lazy("Accept new contacts"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Operator]) -> None:
        self._set_active(request, queryset, True)

    @admin.action(description=gettext_lazy("Accept no new contacts"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Operator]) -> None:
        self._set_active(request, queryset, False)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[Operator], on: bool) -> None:
        def change(operator: Operator) -> str:
            changed = change_operator(operator, {"is_active": on}, actor=actor_of(request))
            return _("accepts") if changed.is_active else _("does not accept")

        tell_each(request, queryset, change)

    @admin.action(
        description=gettext_lazy("Accept no new contacts and release the open ones"),
        permissions=["change"],
    )
    def release(self, request: HttpRequest, queryset: QuerySet[Operator]) -> None:
        tell_each(request, queryset, lambda each: self._release(request, each))

    @staticmethod
    def _release(request: HttpRequest, operator: Operator) -> str:
        done = release_operator(operator.pk, deactivate=True, actor=actor_of(request))
        return release_in_words(done)

    def save_changes(self, request: HttpRequest, form: Any) -> None:
        change_operator(
            form.instance, form.changes(), expected=form.expected(), actor=actor_of(request)
        )

    def delete_model(self, request: HttpRequest, obj: Operator) -> None:
        delete_operator(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Operator]) -> None:
        for operator in queryset:
            delete_operator(operator, actor=actor_of(request))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Contacts and assignments are no hindrance, and too many to list."""
        return [str(each) for each in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []
