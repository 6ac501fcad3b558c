from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
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
from sources.channel_form import form_of
from sources.channel_settings import channel_of
from sources.channel_words import LABELS, SYMBOLS, in_words
from sources.export_admin import SourceExport
from sources.models import Assignment, Source
from sources.services import TOLD_OF_NEW, create_source, delete_source
from sources.source_page import around, connecting

FIELDS = ["name", "code", "kind", "description", "is_active", "auto_assign_waiting", "sticky"]
FIELDS += ["reuse_open_contact", "strategy", "response_minutes", "response_handovers", "created_at"]


@admin.register(Source)
class SourceAdmin(SourceExport, SavesAssignments, AuditedAdmin, CarefulAdmin, ModelAdmin):
    told_of_new = TOLD_OF_NEW
    list_display = ["name", "code", "kind_in_words", "is_active", "strategy_in_words", "served_by"]
    list_filter = ["is_active", "kind"]
    search_fields = ["name", "code"]
    # Said again, because counting drops that of the model.
    ordering = ["pk"]
    readonly_fields = ["created_at"]
    inlines = [OperatorsInline]
    change_form_outer_before_template = "admin/sources/source/next.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        return super().get_queryset(request).annotate(operator_count=Count("assignments"))

    @admin.display(description=_("kind"), ordering="kind")
    def kind_in_words(self, source: Source) -> str:
        return format_html(
            '<span class="crm-kind"><span class="material-symbols-outlined" aria-hidden="true">{}'
            "</span>{}</span>",
            SYMBOLS[source.kind],
            source.get_kind_display(),
        )

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
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "kind":
            field.help_text = _(
                "How leads arrive. Its settings appear once it is saved; another kind begins with"
                " none of those of the former one."
            )
        return field

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        if source := context.get("original"):
            context |= around(source, request) | connecting(source, request)
        return super().render_change_form(request, context, *args, **kw)

    def response_add(self, request: HttpRequest, obj: Source, *args: Any) -> HttpResponse:
        if shown := self._shown_once(request, obj):
            return shown
        if obj.kind != Source.Kind.API and "_addanother" not in request.POST:
            # There is the channel to be set up, on its own page.
            request.POST = request.POST.copy()
            request.POST["_continue"] = "1"
        return super().response_add(request, obj, *args)

    def response_change(self, request: HttpRequest, obj: Source) -> HttpResponse:
        return self._shown_once(request, obj) or super().response_change(request, obj)

    def _shown_once(self, request: HttpRequest, source: Source) -> HttpResponse | None:
        """The only page that ever shows secrets that were made: kept nowhere, not in a session."""
        channel = channel_of(source)
        if not channel or not channel.made or IS_POPUP_VAR in request.POST:
            return None
        context = self.admin_site.each_context(request) | connecting(source, request)
        context |= {"title": _("New secrets"), "opts": self.opts, "original": source}
        return TemplateResponse(request, "admin/sources/source/secrets.html", context)

    def get_object(self, request: HttpRequest, *args: Any) -> Source | None:
        source = super().get_object(request, *args)
        if source:
            # A form writes another kind into it, and fails, while the page still shows this one.
            source.form_of_kind = form_of(source)
        return source

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        if obj:
            kwargs["form"] = obj.form_of_kind
        return super().get_form(request, obj, *args, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = [name for name in FIELDS if obj or name != "reuse_open_contact"]
        shown = [(None, {"fields": own})]
        if obj and obj.form_of_kind.of_channel and self.has_change_permission(request, obj):
            names = list(obj.form_of_kind.of_channel)
            shown.append((_("Settings of the channel"), {"fields": names}))
        return shown

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if not change:
            made = create_source(**form.cleaned_data, actor=actor_of(request))
            vars(obj).update(vars(made))

    def save_changes(self, request: HttpRequest, form: Any) -> None:
        change_source(
            form.instance, form.changes(), expected=form.expected(), actor=actor_of(request)
        )

    def _field(self, name: str, attribute: str) -> Any:
        if name in LABELS:
            return LABELS[name] if attribute == "verbose_name" else None
        return super()._field(name, attribute)

    def value_in_words(self, name: str, value: Any) -> str:
        if name in LABELS:
            return in_words(name, value)
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
