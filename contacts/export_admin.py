from django.utils.translation import gettext_lazy as _

from contacts.import_rows import CONTACT_TITLES
from crm_project.sheets.export_admin import ExportMixin


class ContactExport(ExportMixin):
    """With the titles that an import knows."""

    export_columns = [
        ("№", "pk"),
        (CONTACT_TITLES["lead_external_id"], "lead__external_id"),
        (CONTACT_TITLES["lead_name"], "lead__name"),
        (CONTACT_TITLES["lead_phone"], "lead__phone"),
        (CONTACT_TITLES["lead_email"], "lead__email"),
        (CONTACT_TITLES["source_code"], "source__code"),
        (_("source"), "source__name"),
        (_("operator"), "operator__name"),
        (_("status"), "status"),
        (CONTACT_TITLES["message"], "message"),
        (_("created"), "created_at"),
        (_("assigned"), "assigned_at"),
        (_("waiting since"), "waiting_since"),
        (_("closed"), "closed_at"),
    ]
