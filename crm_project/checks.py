"""System checks: what can be wrong with an installation, said before it hurts."""

from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections


@register(Tags.database)
def cyrillic_case_is_folded(
    databases: list[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A PostgreSQL database made with the locale C finds "щук" but not "Щук" for "щук"."""
    warnings: list[CheckMessage] = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            if connections[alias].vendor != "postgresql":
                continue
            cursor.execute("SELECT upper('щ') = 'Щ'")
            if cursor.fetchone() != (True,):
                warnings.append(
                    checks.Warning(
                        "Search will not ignore the case of Cyrillic letters in this database.",
                        hint="Create it with LC_CTYPE C.UTF-8, ru_RU.UTF-8 or another UTF-8 one.",
                        id="crm_project.W001",
                    )
                )
    return warnings
