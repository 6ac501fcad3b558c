"""What a call asks of the database."""

from collections.abc import Callable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext


def capture_sql(call: Callable[[], Any]) -> list[str]:
    """The statements that the call runs, in order, none spared by content types in memory."""
    ContentType.objects.clear_cache()
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured.captured_queries]
