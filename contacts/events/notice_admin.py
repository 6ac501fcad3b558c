"""Notices to operators in the back office: ways to tell them, each switched on or off."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from contacts.events.models import Subscription
from contacts.events.notice_settings import change_notice, why_not
from contacts.events.selectors import with_counts
from contacts.events.services import shown_secret
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import CarefulAdmin, CarefulForm


class NoticeForm(CarefulForm):
    token = forms.CharField(
        label=_("Token of the bot"),
        required=False,
        max_length=100,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_("From @BotFather. Empty: the one that is kept."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        token = cleaned.get("token", "")
        if cleaned.get("is_active") and (wrong := why_not(self.instance, token=token)):
            self.add_error("token" if "token" in self.fields else "is_active", wrong)
        return cleaned


class NoticeAdmin(AuditedAdmin, CarefulAdmin, ModelAdmin):
    form = NoticeForm
    list_display = ["kind_label", "is_active", "state_label"]
    ordering = ["pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        notices = super().get_queryset(request).exclude(kind=Subscription.Kind.WEBHOOK)
        return with_counts(notices)

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[str]:
        by_bot = obj is not None and obj.kind == Subscription.Kind.TELEGRAM
        return ["is_active", *(["token", "kept_token"] if by_bot else []), "state_label"]

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name in READ_ONLY]

    @admin.display(description=_("by"))
    def kind_label(self, notice: Subscription) -> str:
        return notice.get_kind_display()

    @admin.display(description=_("token that is kept"))
    def kept_token(self, notice: Subscription) -> str:
        return shown_secret(notice) or "—"

    @display(
        description=_("state"),
        label={"healthy": "success", "waiting": "warning", "off": "info"},
    )
    def state_label(self, notice: Subscription) -> tuple[str, Any]:
        if not notice.is_active:
            return "off", _("switched off")
        if notice.failures:
            return "waiting", _("waits to try again")
        return "healthy", _("in order")

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        changes, expected = form.changes(), form.expected()
        token = changes.pop("token", "")
        expected.pop("token", None)
        change_notice(obj, changes, token=token, expected=expected, actor=actor_of(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        return False


READ_ONLY = ("kept_token", "state_label")
