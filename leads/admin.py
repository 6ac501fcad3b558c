from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from contacts.import_admin import LeadImport
from leads.export_admin import LeadExport
from leads.models import Lead


@admin.register(Lead)
class LeadAdmin(LeadImport, LeadExport, ModelAdmin):
    list_display = ["external_id", "name", "phone", "email", "created_at"]
    search_fields = ["external_id", "name", "phone", "email"]
    list_filter = ["created_at"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Lead | None = None) -> list[str]:
        return ["external_id", "created_at"] if obj else ["created_at"]

    def save_model(self, request: HttpRequest, obj: Lead, form: Any, change: bool) -> None:
        """Save what the form changed and no more: a stale form must not undo other changes."""
        if change:
            obj.save(update_fields=form.changed_data)
        else:
            super().save_model(request, obj, form, change)
