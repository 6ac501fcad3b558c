from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.db.backends.signals import connection_created


class CrmProjectConfig(AppConfig):
    name = "crm_project"
    verbose_name = "Mini-CRM"

    def ready(self) -> None:
        from crm_project import checks, sqlite  # noqa: F401  # needs the registry; registers itself

        connection_created.connect(sqlite.fold_case_of_every_script)


class CrmAdminConfig(admin.AdminConfig):
    default = False
    default_site = "crm_project.site.CrmAdminSite"
