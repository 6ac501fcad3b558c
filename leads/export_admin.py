from django.utils.translation import gettext_lazy as _

from crm_project.sheets.export_admin import ExportMixin


class LeadExport(ExportMixin):
    """With the titles that an import knows (`contacts.import_rows`)."""

    export_columns = [
        ("№", "pk"),
        (_("external id"), "external_id"),
        (_("name"), "name"),
        (_("phone"), "phone"),
        (_("e-mail"), "email"),
        (_("created"), "created_at"),
    ]
