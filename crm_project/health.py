"""Is the process alive, and can it work?"""

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from crm_project.errors import DatabaseUnavailable
from crm_project.responses import error_response, fault_response


@csrf_exempt
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """The process answers. Asks no database."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """503 while the database cannot be reached or has not all migrations."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return fault_response(request, DatabaseUnavailable())
    if missing:
        return error_response(503, "migrations_missing", _("The database lacks migrations."))
    return JsonResponse({"status": "ok"})
