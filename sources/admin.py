from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from contacts.distribution import STRATEGIES
from contacts.staffing import change_source
from contacts.wording import strategy_name
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import CarefulAdmin
from sources.assignment_admin import OperatorsInline, SavesAssignments
from sources.export_admin import SourceExport
from sources.models import Assignment, Source
from sources.services import TOLD_OF_NEW, delete_source
from sources.source_page import around


@admin.register(Source)
class SourceAdmin(SourceExport, SavesAssignments, AuditedAdmin, CarefulAdmin, ModelAdmin):
    told_of_new = TOLD_OF_NEW
    list_display = ["name", "code", "is_active", "strategy_in_words", "served_by"]
    list_filter = ["is_active"]
    search_fields = ["name", "code"]
    # Said again, because counting drops that of the model.
    ordering = ["pk"]
    readonly_fields = ["created_at"]
    inlines = [OperatorsInline]
    change_form_outer_before_template = "admin/sources/source/next.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        return super().get_queryset(request).annotate(operator_count=Count("assignments"))

    @admin.display(description=_("strategy"), ordering="strategy")
    def strategy_in_words(self, source: Source) -> str:
        return strategy_name(source.strategy)

    @admin.display(description=_("operators"), ordering="operator_count")
    def served_by(self, source: Source) -> int:
        return getattr(source, "operator_count", 0)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "strategy":
            return forms.ChoiceField(
                label=db_field.verbose_name.capitalize(),
                choices=[(name, strategy_name(name)) for name in STRATEGIES],
                widget=UnfoldAdminSelectWidget,
                show_hidden_initial=True,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        if source := context.get("original"):
            context |= around(source, request)
        return super().render_change_form(request, context, *args, **kw)

    def save_changes(self, request: HttpRequest, form: Any) -> None:
        change_source(
            form.instance, form.changes(), expected=form.expected(), actor=actor_of(request)
        )

    def value_in_words(self, name: str, value: Any) -> str:
        if name == "strategy" and value:
            return strategy_name(value)
        return super().value_in_words(name, value)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Contacts protect their source: told as a count, for they may be many."""
        counts = {source: source.contacts.count() for source in objs}
        protected = [
            f"{source}: {self._contacts(count)}" for source, count in counts.items() if count
        ]
        return (
            [str(each) for each in objs],
            {self.opts.verbose_name_plural: len(objs)},
            set(),
            protected,
        )

    @staticmethod
    def _contacts(count: int) -> str:
        return ngettext("%(count)d contact", "%(count)d contacts", count) % {"count": count}

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        delete_source(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            delete_source(source, actor=actor_of(request))


@admin.register(Assignment)
class AssignmentAdmin(CarefulAdmin, ModelAdmin):
    """A list to search; weights are edited at their source."""

    list_display = ["operator", "source", "weight"]
    list_display_links = None
    list_filter = ["source"]
    list_select_related = ["operator", "source"]
    search_fields = ["operator__name", "source__name", "source__code"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
