from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException
from unfold.admin import ModelAdmin

from contacts.export_admin import ContactExport
from contacts.import_admin import ContactImport
from contacts.models import WAITING, Contact
from contacts.services import change_status, reassign_contact
from contacts.wording import explain
from crm_project.api.access import actor_of


class WaitingFilter(admin.SimpleListFilter):
    title = gettext_lazy("waiting")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Yes")), ("no", gettext_lazy("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        match self.value():
            case "yes":
                return queryset.filter(WAITING)
            case "no":
                return queryset.exclude(WAITING)
        return queryset


@admin.register(Contact)
class ContactAdmin(ContactImport, ContactExport, ModelAdmin):
    """A window on the contacts: what changes them are the actions, through the services."""

    list_display = ["__str__", "lead", "source", "operator", "status", "created_at"]
    list_filter = ["status", WaitingFilter, "source", "operator", "created_at"]
    list_select_related = ["lead", "source", "operator"]
    search_fields = ["lead__external_id", "lead__name", "lead__phone", "message"]
    show_full_result_count = False
    fields = [
        "lead",
        "source",
        "operator",
        "status",
        "message",
        "created_at",
        "assigned_at",
        "waiting_since",
        "closed_at",
    ]
    actions = ["take", "close", "reopen", "reassign"]

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

    @admin.action(description=gettext_lazy("Take into work"), permissions=["act"])
    def take(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        self._move(request, queryset, Contact.Status.IN_PROGRESS)

    @admin.action(description=gettext_lazy("Close"), permissions=["act"])
    def close(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        self._move(request, queryset, Contact.Status.CLOSED)

    @admin.action(description=gettext_lazy("Reopen"), permissions=["act"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        closed = queryset.filter(status=Contact.Status.CLOSED)
        self._move(request, closed, Contact.Status.NEW)

    def _move(self, request: HttpRequest, queryset: QuerySet[Contact], status: str) -> None:
        def move(contact: Contact) -> str:
            moved = change_status(contact.pk, status=status, actor=actor_of(request))
            return f"{moved.get_status_display()}: {moved.operator or _('waiting')}"

        self._each(request, queryset, move)

    @admin.action(description=gettext_lazy("Reassign"), permissions=["act"])
    def reassign(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        def reassign(contact: Contact) -> str:
            done = reassign_contact(contact.pk, actor=actor_of(request))
            return explain(done.contact, done.decision, moved=done.moved)

        self._each(request, queryset, reassign)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Contact], act: Callable[[Contact], str]
    ) -> None:
        """Do it to one contact at a time and tell each outcome once, with its count."""
        done: Counter[tuple[int, str]] = Counter()
        for contact in queryset.order_by("created_at", "pk"):
            try:
                done[messages.SUCCESS, act(contact)] += 1
            except APIException as error:
                done[messages.WARNING, str(error.detail)] += 1
        for (level, text), count in done.most_common():
            self.message_user(request, f"{text} × {count}" if count > 1 else text, level)
