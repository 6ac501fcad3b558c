from django.utils.translation import gettext_lazy as _

from crm_project.sheets.export_admin import ExportMixin


class OperatorExport(ExportMixin):
    export_columns = [
        ("№", "pk"),
        (_("name"), "name"),
        (_("active"), "is_active"),
        (_("open contacts"), "current_load"),
        (_("limit"), "max_active_contacts"),
        (_("user"), "user__username"),
        (_("created"), "created_at"),
    ]
