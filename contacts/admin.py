from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesCheckboxFilter,
)
from unfold.decorators import display

from contacts.admin_actions import ACTS, do_each
from contacts.admin_filters import DaysFilter, EscalatedFilter, WaitingFilter
from contacts.admin_search import search
from contacts.contact_page import MOST_AT_ONCE, around, urls
from contacts.export_admin import ContactExport
from contacts.import_admin import ContactImport
from contacts.models import Contact
from contacts.rights import visible_contacts
from contacts.timeline import timeline
from crm_project.admin_mixins import VisibleOnlyMixin
from crm_project.audit.admin import AuditedAdmin, Line, who
from crm_project.careful_admin import CarefulAdmin
from crm_project.paginator import UncountedPaginator
from operators.roles import is_only_operator


@admin.register(Contact)
class ContactAdmin(
    ContactImport, ContactExport, VisibleOnlyMixin, AuditedAdmin, CarefulAdmin, ModelAdmin
):
    """A window on the contacts: what changes them are the actions, through the services."""

    list_display = ["number", "status_label", "lead", "source", "who", "excerpt", "created_at"]
    list_filter = [
        ("status", ChoicesCheckboxFilter),
        WaitingFilter,
        EscalatedFilter,
        ("source", AutocompleteSelectFilter),
        ("operator", AutocompleteSelectFilter),
        ("created_at", DaysFilter),
    ]
    list_filter_submit = True
    list_select_related = ["lead", "source", "operator"]
    list_per_page = 50
    # Whatever else the list could be sorted by has no index.
    sortable_by = ["number", "created_at"]
    search_fields = ["message"]  # Where to look says `get_search_results`.
    search_help_text = gettext_lazy("Number, lead, phone or a part of the message")
    paginator = UncountedPaginator
    show_full_result_count = False
    list_disable_select_all = True
    fields = [
        "lead",
        "source",
        "operator",
        "status",
        "message",
        "created_at",
        "assigned_at",
        "waiting_since",
        "escalated_at",
        "closed_at",
    ]
    actions = ["take", "close", "reopen", "reassign", "reassign_to"]
    change_form_outer_before_template = "admin/contacts/contact/buttons.html"
    change_form_outer_after_template = "admin/contacts/contact/timeline.html"

    @admin.display(description="№", ordering="pk")
    def number(self, contact: Contact) -> str:
        return str(contact)

    @display(
        description=gettext_lazy("status"),
        ordering="status",
        label={"new": "info", "in_progress": "warning", "closed": "success"},
    )
    def status_label(self, contact: Contact) -> tuple[str, str]:
        return contact.status, contact.get_status_display()

    @admin.display(description=gettext_lazy("operator"), ordering="operator")
    def who(self, contact: Contact) -> str:
        if contact.escalated_at:
            return format_html(
                '{} <span class="crm-waits">{}</span>', contact.operator, _("not taken in time")
            )
        if contact.waiting_since is None:
            return str(contact.operator or "—")
        age = timesince(contact.waiting_since, timezone.now(), depth=1)
        return format_html('<span class="crm-waits">{} {}</span>', _("waiting"), age)

    @admin.display(description=gettext_lazy("message"))
    def excerpt(self, contact: Contact) -> str:
        return contact.message if len(contact.message) <= 60 else f"{contact.message[:59]}…"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        return search(queryset, search_term), False

    def lines(self, request: HttpRequest, obj: Contact, limit: int) -> list[Line]:
        """What became of it, newest first: its decisions too, not only who changed it."""
        return [
            Line(event.when, who(event.actor_type, event.actor_name), event.title, [event.text])
            for event in reversed(timeline(obj, why=not is_only_operator(request.user))[-limit:])
        ]

    def get_urls(self) -> list[URLPattern]:
        return urls(self) + super().get_urls()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kw: Any) -> Any:
        if contact := context.get("original"):
            context |= around(
                contact,
                may_act=self.has_act_permission(request),
                may_hand_over=self.has_hand_over_permission(request),
                why=not is_only_operator(request.user),
            )
        return super().render_change_form(request, context, *args, **kw)

    def visible(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        return visible_contacts(request.user, queryset)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """To an operator, all contacts are his or hers: colleagues are nothing to filter by."""
        found = super().get_list_filter(request)
        if not is_only_operator(request.user):
            return found
        names = [each[0] if isinstance(each, tuple) else each for each in found]
        return [each for each, name in zip(found, names, strict=True) if name != "operator"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_act_permission(request)

    def has_act_permission(self, request: HttpRequest) -> bool:
        """May the user run the actions, which change contacts through the services?"""
        return request.user.has_perm("contacts.change_contact")

    def has_hand_over_permission(self, request: HttpRequest) -> bool:
        """May the user choose who gets a contact?"""
        return self.has_act_permission(request) and not is_only_operator(request.user)

    @admin.action(description=gettext_lazy("Take into work"), permissions=["act"])
    def take(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        self._each(request, queryset, "take")

    @admin.action(description=gettext_lazy("Close"), permissions=["act"])
    def close(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        self._each(request, queryset, "close")

    @admin.action(description=gettext_lazy("Reopen"), permissions=["act"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        self._each(request, queryset, "reopen")

    @admin.action(description=gettext_lazy("Reassign"), permissions=["act"])
    def reassign(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        self._each(request, queryset, "reassign")

    @admin.action(description=gettext_lazy("Reassign to …"), permissions=["hand_over"])
    def reassign_to(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse:
        ids = queryset.order_by("created_at", "pk").values_list("pk", flat=True)[:MOST_AT_ONCE]
        query = ",".join(str(each) for each in ids)
        return redirect(f"{reverse('admin:contacts_contact_reassign_to')}?ids={query}")

    @staticmethod
    def _each(request: HttpRequest, queryset: QuerySet[Contact], name: str) -> None:
        do_each(request, queryset.order_by("created_at", "pk"), ACTS[name])
