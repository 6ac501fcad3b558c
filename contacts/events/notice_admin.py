"""Notices to operators in the back office: by a bot, by e-mail, of all sources or of one."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminRadioSelectWidget

from contacts.events.models import Subscription
from contacts.events.notice_settings import change_notice, create_notice, why_not
from contacts.events.services import delete_webhook, shown_secret
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import CarefulAdmin, CarefulForm

Kind = Subscription.Kind


class NoticeForm(CarefulForm):
    token = forms.CharField(
        label=_("Token of the bot"),
        required=False,
        max_length=100,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_("From @BotFather, for Telegram. Empty: the one that is kept."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.instance.kind = cleaned.get("kind") or self.instance.kind
        token = cleaned.get("token", "")
        if cleaned.get("is_active") and (wrong := why_not(self.instance, token=token)):
            by_bot = self.instance.kind == Kind.TELEGRAM
            self.add_error("token" if by_bot else "is_active", wrong)
        return cleaned


class NewNoticeForm(NoticeForm):
    kind = forms.ChoiceField(
        label=_("By"),
        choices=[(Kind.TELEGRAM, Kind.TELEGRAM.label), (Kind.EMAIL, Kind.EMAIL.label)],
        widget=UnfoldAdminRadioSelectWidget,
        initial=Kind.TELEGRAM,
    )


class NoticeAdmin(AuditedAdmin, CarefulAdmin, ModelAdmin):
    list_display = ["name", "where", "state_label"]
    list_select_related = ["source"]
    autocomplete_fields = ["source"]
    ordering = ["pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).exclude(kind=Kind.WEBHOOK)

    def get_form(
        self, request: HttpRequest, obj: Subscription | None = None, **kwargs: Any
    ) -> type[NoticeForm]:
        return super().get_form(
            request, obj, **kwargs | {"form": NoticeForm if obj else NewNoticeForm}
        )

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[str]:
        if obj is None:
            return ["kind", "token", "source", "is_active"]
        by_bot = ["token", "kept_token"] if obj.kind == Kind.TELEGRAM else []
        return ["name", *by_bot, "source", "is_active", "state"]

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        return ["name", "kept_token", "state"] if obj else []

    @admin.display(description=_("sources"))
    def where(self, notice: Subscription) -> str:
        return str(notice.source or _("all"))

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

    @admin.display(description=_("state"))
    def state(self, notice: Subscription) -> str:
        return str(self.state_label(notice)[1])

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        token, actor = form.cleaned_data.get("token", ""), actor_of(request)
        if not change:
            create_notice(obj, token=token, actor=actor)
            return
        changes, expected = form.changes(), form.expected()
        changes.pop("token", None)
        expected.pop("token", None)
        change_notice(obj, changes, token=token, expected=expected, actor=actor)

    def delete_model(self, request: HttpRequest, obj: Subscription) -> None:
        delete_webhook(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        for notice in queryset:
            self.delete_model(request, notice)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without its deliveries one by one, for they may be many."""
        return [str(each) for each in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []
