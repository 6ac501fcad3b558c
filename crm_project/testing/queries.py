"""What a call asks of the database."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext


def capture_sql(call: Callable[[], Any]) -> list[str]:
    """The statements that the call runs, in order."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured.captured_queries]
