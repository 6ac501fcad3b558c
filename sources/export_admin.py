from django.utils.translation import gettext_lazy as _

from crm_project.sheets.export_admin import ExportMixin


class SourceExport(ExportMixin):
    export_columns = [
        ("№", "pk"),
        (_("title"), "name"),
        (_("code"), "code"),
        (_("kind"), "kind"),
        (_("description"), "description"),
        (_("active"), "is_active"),
        (_("hand out by itself"), "auto_assign_waiting"),
        (_("sticky"), "sticky"),
        (_("one conversation, one contact"), "reuse_open_contact"),
        (_("strategy"), "strategy"),
        (_("created"), "created_at"),
    ]
