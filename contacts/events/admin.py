from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from rest_framework.exceptions import APIException
from unfold.admin import ModelAdmin
from unfold.decorators import display

from contacts.events.admin_form import WebhookForm
from contacts.events.models import TEST, Delivery, Event, OperatorNotice, Subscription
from contacts.events.notice_admin import NoticeAdmin
from contacts.events.selectors import with_counts
from contacts.events.services import (
    change_webhook,
    create_webhook,
    delete_webhook,
    resend,
    rotate_secret,
    send_test,
    shown_secret,
)
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import CarefulAdmin, ToldAdmin, tell_each, words
from crm_project.paginator import UncountedPaginator

LABELS = dict(Event.choices)
admin.site.register(OperatorNotice, NoticeAdmin)


@admin.register(Subscription)
class SubscriptionAdmin(AuditedAdmin, CarefulAdmin, ModelAdmin):
    """Programs that are told of events; the secret of one is shown once, when it is made."""

    form = WebhookForm
    list_display = ["name", "state_label", "told_of", "where", "pending_count", "dead_count"]
    list_filter = ["is_active"]
    search_fields = ["name", "url"]
    list_select_related = ["source"]
    autocomplete_fields = ["source"]
    fields = ["name", "url", "events", "source", "is_active"]
    fields_of_one = [*fields, "state", "masked_secret", "next_attempt_at", "created_at"]
    change_form_outer_before_template = "admin/events/subscription/buttons.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        webhooks = super().get_queryset(request).filter(kind=Subscription.Kind.WEBHOOK)
        return with_counts(webhooks)

    @display(
        description=gettext_lazy("state"),
        label={"healthy": "success", "waiting": "warning", "off": "danger"},
    )
    def state_label(self, webhook: Subscription) -> tuple[str, str]:
        if not webhook.is_active:
            return "off", _("switched off")
        if webhook.failures:
            return "waiting", _("waits to try again")
        return "healthy", _("in order")

    @admin.display(description=gettext_lazy("state"))
    def state(self, webhook: Subscription) -> str:
        return webhook.get_deactivated_because_display() or self.state_label(webhook)[1]

    @admin.display(description=gettext_lazy("events"))
    def told_of(self, webhook: Subscription) -> str:
        return ", ".join(webhook.events)

    @admin.display(description=gettext_lazy("sources"))
    def where(self, webhook: Subscription) -> str:
        return str(webhook.source or _("all"))

    @admin.display(description=gettext_lazy("to be sent"))
    def pending_count(self, webhook: Subscription) -> str:
        return _deliveries_link(webhook, "pending")

    @admin.display(description=gettext_lazy("given up"))
    def dead_count(self, webhook: Subscription) -> str:
        return _deliveries_link(webhook, "dead")

    @admin.display(description=gettext_lazy("secret"))
    def masked_secret(self, webhook: Subscription) -> str:
        return shown_secret(webhook) or _("cannot be read: make a new one")

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[str]:
        return self.fields_of_one if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        return self.fields_of_one[len(self.fields) :] if obj else []

    def value_in_words(self, name: str, value: Any) -> str:
        if name == "events" and value:
            return ", ".join(str(LABELS.get(each, each)) for each in value)
        return super().value_in_words(name, value)

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        """The secret of a new one lives only as long as this request."""
        actor = actor_of(request)
        if change:
            change_webhook(obj, form.changes(), expected=form.expected(), actor=actor)
        else:
            request.new_secret = create_webhook(obj, actor=actor)

    def delete_model(self, request: HttpRequest, obj: Subscription) -> None:
        delete_webhook(obj, actor=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        for webhook in queryset:
            self.delete_model(request, webhook)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without its deliveries one by one, for they may be many."""
        return [str(each) for each in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def response_add(
        self, request: HttpRequest, obj: Subscription, post_url_continue: Any = None
    ) -> HttpResponse:
        return self._secret_page(request, obj, request.new_secret)

    def get_urls(self) -> list[URLPattern]:
        acts = {"rotate": self.rotate, "test": self.test}
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"events_subscription_{name}",
            )
            for name, view in acts.items()
        ] + super().get_urls()

    def rotate(self, request: HttpRequest, pk: int) -> HttpResponse:
        webhook = self._to_change(request, pk)
        # A page that is sent once more must not take away the secret that it has shown.
        if request.POST.get("instead_of") != shown_secret(webhook):
            self.message_user(request, _("The secret is another one since."), messages.WARNING)
            return redirect("admin:events_subscription_change", pk)
        secret = rotate_secret(webhook, actor=actor_of(request))
        return self._secret_page(request, webhook, secret)

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        webhook = self._to_change(request, pk)
        try:
            send_test(webhook)
            self.message_user(request, _("A test is on its way."), messages.SUCCESS)
        except APIException as error:
            self.message_user(request, words(error), messages.WARNING)
        found = reverse("admin:events_delivery_changelist")
        return redirect(f"{found}?subscription__id__exact={pk}")

    def _to_change(self, request: HttpRequest, pk: int) -> Subscription:
        webhook = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, webhook):
            raise PermissionDenied
        return webhook

    def _secret_page(self, request: HttpRequest, webhook: Subscription, text: str) -> HttpResponse:
        """The only page that ever shows the secret: an answer, kept nowhere."""
        context = self.admin_site.each_context(request) | {
            "title": _("The secret of the webhook"),
            "opts": self.opts,
            "webhook": webhook,
            "text": text,
        }
        return TemplateResponse(request, "admin/events/subscription/secret.html", context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        webhook = context.get("original")
        context["shown_secret"] = shown_secret(webhook) if webhook else ""
        context["may_change"] = bool(webhook) and self.has_change_permission(request, webhook)
        # After the first saving the secret is shown, whatever the button.
        context |= {"show_save_and_add_another": False, "show_save_and_continue": bool(webhook)}
        return super().render_change_form(request, context, *args, **kw)


@admin.register(Delivery)
class DeliveryAdmin(ToldAdmin, ModelAdmin):
    """What was told, and is to be told: to look at, and to send again."""

    list_display = ["what", "subscription", "state_label", "outcome", "attempts", "created_at"]
    list_display_links = None
    list_filter = ["state", "subscription"]
    list_select_related = ["subscription"]
    sortable_by: list[str] = []
    paginator = UncountedPaginator
    show_full_result_count = False
    list_disable_select_all = True
    actions = ["send_again"]

    @admin.display(description=gettext_lazy("event"))
    def what(self, delivery: Delivery) -> str:
        label = _("test") if delivery.event == TEST else LABELS.get(delivery.event, delivery.event)
        about = {"contacts_contact": delivery.contact_id, "leads_lead": delivery.lead_id}
        page, pk = next(((page, pk) for page, pk in about.items() if pk), ("", None))
        if pk is None:
            return str(label)
        url = reverse(f"admin:{page}_change", args=[pk])
        return format_html('{} <a class="crm-link" href="{}">№ {}</a>', label, url, pk)

    @display(
        description=gettext_lazy("state"),
        label={"pending": "info", "delivered": "success", "dead": "danger"},
    )
    def state_label(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    @admin.display(description=gettext_lazy("answer"))
    def outcome(self, delivery: Delivery) -> str:
        error = delivery.get_last_error_display()
        return ": ".join(str(each) for each in (delivery.response_status, error) if each) or "—"

    @admin.action(description=gettext_lazy("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        def act(delivery: Delivery) -> str:
            resend(delivery)
            return _("will be sent again")

        tell_each(request, queryset.order_by("pk"), act)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.change_delivery")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False


def _deliveries_link(webhook: Subscription, state: str) -> str:
    count = getattr(webhook, state)
    if not count:
        return "0"
    url = reverse("admin:events_delivery_changelist")
    query = f"subscription__id__exact={webhook.pk}&state__exact={state}"
    return format_html('<a class="crm-link" href="{}?{}">{}</a>', url, query, count)
