"""Who did what, shown on the object."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from crm_project.audit.models import Change
from crm_project.audit.services import changes_of
from crm_project.paginator import UncountedPaginator

ON_THE_PAGE, ON_ITS_OWN_PAGE = 10, 500


@dataclass(frozen=True, slots=True)
class Line:
    """One change as people read it; `details` are its fields, each in words."""

    when: datetime
    who: str
    action: str
    details: list[str]


class AuditedAdmin:
    """Of a ModelAdmin: shows the changes of the object below its form and as its history."""

    change_form_outer_after_template = "admin/audit/panel.html"

    def value_in_words(self, name: str, value: Any) -> str:
        """A field's value as people call it."""
        if value is None:
            return "—"
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        return str(dict(self._field(name, "flatchoices") or []).get(value, value)) or "—"

    def lines(self, request: HttpRequest, obj: Model, limit: int) -> list[Line]:
        """The newest changes of the object, in words."""
        return [self.line(change) for change in changes_of(obj)[:limit]]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        obj = context.get("original")
        context["changes"] = self.lines(request, obj, ON_THE_PAGE) if obj else []
        return super().render_change_form(request, context, *args, **kw)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """In place of Django's, which knows only what was done in the admin."""
        response = super().history_view(request, object_id, extra_context)
        if isinstance(response, TemplateResponse):
            response.template_name = "admin/audit/history.html"
            obj = response.context_data["object"]
            response.context_data["changes"] = self.lines(request, obj, ON_ITS_OWN_PAGE)
        return response

    def line(self, change: Change) -> Line:
        """One change in words."""
        return Line(
            when=change.created_at,
            who=who(change.actor_type, change.actor_name),
            action=change.get_action_display(),
            details=list(self._details(change)),
        )

    def _details(self, change: Change) -> Iterator[str]:
        about = f" ({change.about})" if change.about else ""
        for name, (before, after) in change.fields.items():
            label = str(self._field(name, "verbose_name") or _(name))
            known = [after] if change.action == Change.Action.CREATE else [before, after]
            values = [self.value_in_words(name, each) for each in known]
            yield f"{label}{about}: {' → '.join(values)}"

    def _field(self, name: str, attribute: str) -> Any:
        try:
            return getattr(self.opts.get_field(name), attribute, None)
        except FieldDoesNotExist:
            return None


class KindFilter(admin.SimpleListFilter):
    """By the kinds of objects whose changes are kept: those whose admin shows them."""

    title = gettext_lazy("kind of object")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        registered = model_admin.admin_site._registry.items()
        kept = [model._meta for model, shown in registered if isinstance(shown, AuditedAdmin)]
        return [(str(each.model_name), str(each.verbose_name)) for each in kept]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Change]) -> QuerySet[Change]:
        return queryset.filter(subject_type=self.value()) if self.value() else queryset


@admin.register(Change)
class ChangeAdmin(ModelAdmin):
    """All changes, those of objects too that are no more: to look at, never to change."""

    list_display = ["created_at", "by", "action", "kind", "subject_name", "what"]
    list_display_links = None
    list_filter = [KindFilter, "action"]
    search_fields = ["subject_name", "actor_name"]
    sortable_by: list[str] = []
    paginator = UncountedPaginator
    show_full_result_count = False
    list_disable_select_all = True

    @admin.display(description=gettext_lazy("who asked"))
    def by(self, change: Change) -> str:
        return who(change.actor_type, change.actor_name)

    @admin.display(description=gettext_lazy("kind of object"))
    def kind(self, change: Change) -> str:
        return str(_model_of(change.subject_type)._meta.verbose_name)

    @admin.display(description=gettext_lazy("what"))
    def what(self, change: Change) -> str:
        shown = self.admin_site.get_model_admin(_model_of(change.subject_type))
        return "; ".join(shown.line(change).details)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Change | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Change | None = None) -> bool:
        return False


def _model_of(subject_type: str) -> type[Model]:
    """The model of that name; there are no two of ours."""
    return next(each for each in apps.get_models() if each._meta.model_name == subject_type)


def who(actor_type: str, actor_name: str) -> str:
    """Who asked, as people call it."""
    kinds = {
        "user": actor_name,
        "api_key": _("API key %(name)s") % {"name": actor_name},
        "anonymous": _("without signing in"),
        "channel": _("channel %(name)s") % {"name": actor_name},
        "command": _("command %(name)s") % {"name": actor_name},
        "system": _("by itself"),
    }
    return kinds.get(actor_type) or actor_name or actor_type
