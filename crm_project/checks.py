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


@register(Tags.database)
def locks_are_not_waited_for_for_ever(
    databases: list[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Behind PgBouncer, the role must bring what cannot be asked for on connecting."""
    warnings: list[CheckMessage] = []
    for alias in databases or []:
        if connections[alias].vendor != "postgresql":
            continue
        with connections[alias].cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            if cursor.fetchone() == ("0",):
                warnings.append(
                    checks.Warning(
                        "Requests will wait for each other's locks without end in this database.",
                        hint="ALTER ROLE … IN DATABASE … SET lock_timeout = '3s';"
                        " likewise statement_timeout = '30s'.",
                        id="crm_project.W002",
                    )
                )
    return warnings
