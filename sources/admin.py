from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget

from contacts.distribution import STRATEGIES
from contacts.staffing import assign, change_source
from contacts.wording import strategy_name
from crm_project.actor import Actor
from crm_project.api.access import actor_of
from sources.export_admin import SourceExport
from sources.models import Assignment, Source
from sources.services import delete_source, remove_assignment


class AssignmentInline(TabularInline):
    model = Assignment
    fields = ["operator", "weight"]
    autocomplete_fields = ["operator"]
    extra = 0
    hide_title = True


@admin.register(Source)
class SourceAdmin(SourceExport, ModelAdmin):
    list_display = ["name", "code", "is_active", "created_at"]
    list_filter = ["is_active"]
    search_fields = ["name", "code"]
    readonly_fields = ["created_at"]
    inlines = [AssignmentInline]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "strategy":
            return forms.ChoiceField(
                label=db_field.verbose_name.capitalize(),
                choices=[(name, strategy_name(name)) for name in STRATEGIES],
                widget=UnfoldAdminSelectWidget,
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            change_source(obj, changes, actor=actor_of(request))
        else:
            super().save_model(request, obj, form, change)

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
        delete_source(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            delete_source(source)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        for assignment in formset.deleted_objects:
            remove_assignment(assignment)
        for assignment in [each for each, _ in formset.changed_objects] + formset.new_objects:
            _write(assignment, actor_of(request))
        formset.save_m2m()


def _write(assignment: Assignment, actor: Actor) -> None:
    """Write the weight through the service; a row moved to another operator frees the old pair."""
    stored = Assignment.objects.filter(pk=assignment.pk).first()
    if stored and stored.operator_id != assignment.operator_id:
        remove_assignment(stored)
    written, _created = assign(
        operator_id=assignment.operator_id,
        source_id=assignment.source_id,
        weight=assignment.weight,
        actor=actor,
    )
    assignment.pk = written.pk


@admin.register(Assignment)
class AssignmentAdmin(ModelAdmin):
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
