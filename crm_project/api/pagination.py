"""Two kinds of pages: numbered, with a count; and by cursor, whose cost does not grow."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from crm_project.errors import invalid

PAGE_SIZE, LARGEST_PAGE = 50, 500
LARGEST_NUMBER = 2**31 - 1


def whole_number(request: Request, name: str, *, default: int, most: int) -> int:
    """A query parameter from 1 to `most`; raises a ValidationError that names it."""
    text = request.query_params.get(name, str(default))
    if text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= most:
        return int(text)
    raise invalid(name, _("Give a whole number from 1 to %(most)d.") % {"most": most})


def page_size_schema() -> dict[str, Any]:
    return {
        "name": "page_size",
        "in": "query",
        "required": False,
        "description": "How many results a page has.",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": LARGEST_PAGE,
            "default": PAGE_SIZE,
        },
    }


class NumberedPages(PageNumberPagination):
    """`?page=2&page_size=50`."""

    page_size_query_param = "page_size"
    max_page_size = LARGEST_PAGE

    def get_page_size(self, request: Request) -> int:
        return whole_number(request, "page_size", default=PAGE_SIZE, most=LARGEST_PAGE)

    def get_page_number(self, request: Request, paginator: Any) -> int:
        number = whole_number(request, "page", default=1, most=LARGEST_NUMBER)
        if number > paginator.num_pages:
            raise invalid(
                "page", _("The last page is %(number)d.") % {"number": paginator.num_pages}
            )
        return number

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        page = {
            "name": "page",
            "in": "query",
            "required": False,
            "description": "The page, from 1 on.",
            "schema": {"type": "integer", "minimum": 1, "default": 1},
        }
        return [page, page_size_schema()]


class CursorPages(BasePagination):
    """Newest first, by `created_at` and id; the cursor names the row next to the page.

    DRF's own cursor holds one field and an offset among equal values, which neither reaches
    beyond a thousand rows of the same moment nor has a constant cost.
    """

    def paginate_queryset(  # type: ignore[override]  # a list cannot be filtered
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> list[Any]:
        self.url = request.build_absolute_uri()
        size = whole_number(request, "page_size", default=PAGE_SIZE, most=LARGEST_PAGE)
        back, edge = self._decode(request.query_params.get("cursor"))
        if edge:
            queryset = queryset.filter(_newer_than(edge) if back else _older_than(edge))
        order = ["created_at", "pk"] if back else ["-created_at", "-pk"]
        rows = list(queryset.order_by(*order)[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if back:
            rows.reverse()
        self.has_older = bool(rows) and (back or more)
        self.has_newer = bool(rows) and (more if back else edge is not None)
        self.rows = rows
        return rows

    def get_paginated_response(self, data: list[Any]) -> Response:
        following = self._link("n", self.rows[-1]) if self.has_older else None
        previous = self._link("p", self.rows[0]) if self.has_newer else None
        return Response({"next": following, "previous": previous, "results": data})

    def _link(self, direction: str, row: Model) -> str:
        return replace_query_param(self.url, "cursor", encode_cursor(direction, row))

    @staticmethod
    def _decode(cursor: str | None) -> tuple[bool, tuple[datetime, int] | None]:
        if cursor is None:
            return False, None
        try:
            text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
            direction, moment, pk = text.split(" ")
            edge = datetime.fromisoformat(moment).astimezone(UTC), int(pk)
            if direction not in ("n", "p") or not 0 < edge[1] < 2**63:
                raise ValueError
        except (ValueError, OverflowError, binascii.Error) as error:
            raise invalid("cursor", _("This cursor is none of ours.")) from error
        return direction == "p", edge

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor = {
            "name": "cursor",
            "in": "query",
            "required": False,
            "description": "The place to go on from: take the whole `next` or `previous` link.",
            "schema": {"type": "string"},
        }
        return [cursor, page_size_schema()]


def encode_cursor(direction: str, row: Any) -> str:
    """The cursor of the page after (`n`) or before (`p`) this row."""
    text = f"{direction} {row.created_at.isoformat()} {row.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode()


# Each is one range of the index on (created_at, id), cut by the rows of the edge's own moment.
def _older_than(edge: tuple[datetime, int]) -> Q:
    moment, pk = edge
    return Q(created_at__lte=moment) & ~Q(created_at=moment, pk__gte=pk)


def _newer_than(edge: tuple[datetime, int]) -> Q:
    moment, pk = edge
    return Q(created_at__gte=moment) & ~Q(created_at=moment, pk__lte=pk)
