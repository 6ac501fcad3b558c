from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from access.admin_form import ApiKeyForm, StateFilter
from access.models import ApiKey
from access.services import create_key, revoke_key
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import ToldAdmin, is_id
from operators.roles import is_team_lead

MOST_AT_ONCE = 100


def short(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT") if moment else "—"


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedAdmin, ToldAdmin, ModelAdmin):
    """Made, looked at and revoked, never changed or deleted: the history tells keys by name."""

    form = ApiKeyForm
    list_display = ["name", "begins", "scope_label", "where", "state_label", "used", "ends"]
    list_filter = ["scope", StateFilter]
    search_fields = ["name", "prefix"]
    autocomplete_fields = ["sources"]
    fields = ["name", "scope", "sources", "valid_for"]
    fields_of_one = ["name", "begins", "scope", "where", "state", "expires_at"]
    fields_of_one += ["revoked_at", "last_used_at", "created_by", "created_at"]
    actions = ["revoke"]
    change_form_outer_before_template = "admin/access/apikey/buttons.html"

    @admin.display(description=gettext_lazy("beginning of the key"), ordering="prefix")
    def begins(self, key: ApiKey) -> str:
        return f"crm_{key.prefix}…"

    @display(
        description=gettext_lazy("rights"),
        ordering="scope",
        label={"read": "info", "intake": "success", "manage": "warning"},
    )
    def scope_label(self, key: ApiKey) -> tuple[str, str]:
        return key.scope, key.get_scope_display()

    @display(
        description=gettext_lazy("state"),
        label={"valid": "success", "expired": "warning", "revoked": "danger"},
    )
    def state_label(self, key: ApiKey) -> tuple[str, str]:
        state = key.state(timezone.now())
        return state.value, state.label

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        return str(key.state(timezone.now()).label)

    @admin.display(description=gettext_lazy("last use"), ordering="last_used_at")
    def used(self, key: ApiKey) -> str:
        return short(key.last_used_at)

    @admin.display(description=gettext_lazy("valid until"), ordering="expires_at")
    def ends(self, key: ApiKey) -> str:
        return short(key.expires_at)

    @admin.display(description=gettext_lazy("sources"))
    def where(self, key: ApiKey) -> str:
        return ", ".join(source.name for source in key.sources.all()) or "—"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).prefetch_related("sources")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return self.fields_of_one if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return self.fields_of_one if obj else []

    def value_in_words(self, name: str, value: Any) -> str:
        if name in ("expires_at", "revoked_at") and value:
            return short(parse_datetime(value))
        return super().value_in_words(name, value)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Make the key; its text lives only as long as this request."""
        sources = form.cleaned_data["sources"]
        request.new_key_text = create_key(obj, sources=list(sources), actor=actor_of(request))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has written the sources."""

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None
    ) -> HttpResponse:
        """The only page that ever shows the key: an answer, kept nowhere, not even in a session."""
        context = self.admin_site.each_context(request) | {
            "title": _("The key is made"),
            "opts": self.opts,
            "key": obj,
            "text": request.new_key_text,
        }
        return TemplateResponse(request, "admin/access/apikey/made.html", context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        context["may_revoke"] = self.has_revoke_permission(request)
        # After saving, the key is shown, whatever the button.
        context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kw)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.confirm_revoking)
        return [path("revoke/", view, name="access_apikey_revoke"), *super().get_urls()]

    @admin.action(description=gettext_lazy("Revoke …"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse:
        ids = ",".join(str(key.pk) for key in queryset[:MOST_AT_ONCE])
        return redirect(f"{reverse('admin:access_apikey_revoke')}?ids={ids}")

    def confirm_revoking(self, request: HttpRequest) -> HttpResponse:
        """Say what will stop working, and revoke on a POST."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        ids = [each for each in request.GET.get("ids", "").split(",") if is_id(each)]
        keys = list(self.get_queryset(request).filter(pk__in=ids[:MOST_AT_ONCE]))
        if not keys:
            raise Http404
        if request.method == "POST":
            done = sum(revoke_key(key, actor=actor_of(request)) for key in keys)
            text = ngettext("%(count)d key is revoked.", "%(count)d keys are revoked.", done)
            self.message_user(request, text % {"count": done}, messages.SUCCESS)
            return redirect("admin:access_apikey_changelist")
        context = self.admin_site.each_context(request) | {
            "title": _("Revoke API keys"),
            "opts": self.opts,
            "keys": keys,
        }
        return TemplateResponse(request, "admin/access/apikey/revoke.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A key may do more than its maker, save a maker who may do everything."""
        return is_team_lead(request.user) and super().has_add_permission(request)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return is_team_lead(request.user)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
