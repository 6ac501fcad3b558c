"""Gives a list of the admin as a file: all of what its filters and search leave."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from unfold.enums import ActionVariant

from crm_project.sheets.writing import Cell, csv_parts, write_xlsx

ROWS_IN_PAGE = 1000
# XLSX is written whole before the first byte is sent.
MOST_ROWS_OF_XLSX = 100_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Column = tuple[Any, str]
Show = Callable[[Any], Cell]


class ListButtonsMixin:
    """Adds buttons beside those of unfold's `actions_list`, which cannot carry a query string."""

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[dict[str, Any]]:
        return []

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().changelist_view(request, *args, **kwargs)
        context = getattr(response, "context_data", None) or {}
        if changelist := context.get("cl"):
            context["actions_list"] += self.list_buttons(request, changelist)
        return response


def button(title: str, icon: str, **more: Any) -> dict[str, Any]:
    """As unfold's templates want it: with a `path` a link, with `items` a menu."""
    return {"title": title, "icon": icon, "variant": ActionVariant.DEFAULT} | more


class ExportMixin(ListButtonsMixin):
    """Exports the rows of a ModelAdmin to whoever may view them.

    `export_columns` are titles, each with what it shows as for `values_list`.
    """

    export_columns: Sequence[Column] = ()
    model: type[Model]
    opts: Any
    admin_site: Any
    has_view_permission: Callable[..., bool]
    get_changelist_instance: Callable[..., Any]
    message_user: Callable[..., None]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_GET(self.export_view))
        own = path("export/<str:form>/", view, name=f"{_name(self.opts)}_export")
        return [own, *super().get_urls()]

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[dict[str, Any]]:
        query = changelist.get_query_string(remove=[PAGE_VAR])
        items = [
            button(title, "", path=self._reverse("export", form) + query)
            for form, title in [("csv", "CSV"), ("xlsx", "XLSX (Excel)")]
        ]
        return [
            *super().list_buttons(request, changelist),
            button(_("Export"), "download", items=items),
        ]

    def export_view(self, request: HttpRequest, form: str) -> HttpResponse:
        """All pages of the list that has the same query string."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in ("csv", "xlsx"):
            raise Http404
        try:
            rows = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return redirect(self._reverse("changelist"))
        if form == "csv":
            return self._csv(rows)
        if rows[MOST_ROWS_OF_XLSX : MOST_ROWS_OF_XLSX + 1].exists():
            return self._too_many(request)
        return self._xlsx(rows)

    def _csv(self, rows: QuerySet) -> HttpResponse:
        parts = csv_parts(self._header(), self._pages(rows))
        disposition = f'attachment; filename="{self._file_name("csv")}"'
        headers = {"Content-Disposition": disposition}
        return StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8", headers=headers)

    def _xlsx(self, rows: QuerySet) -> HttpResponse:
        file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the response
        write_xlsx(self._header(), self._pages(rows), file)
        file.seek(0)
        name = self._file_name("xlsx")
        return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX)

    def _too_many(self, request: HttpRequest) -> HttpResponse:
        text = ngettext(
            "XLSX is for %(most)d row at most. Take CSV, or narrow the list by filters.",
            "XLSX is for %(most)d rows at most. Take CSV, or narrow the list by filters.",
            MOST_ROWS_OF_XLSX,
        )
        self.message_user(request, text % {"most": MOST_ROWS_OF_XLSX}, messages.WARNING)
        return redirect(f"{self._reverse('changelist')}?{request.GET.urlencode()}")

    def _header(self) -> list[str]:
        return [capfirst(str(title)) for title, _lookup in self.export_columns]

    def _pages(self, rows: QuerySet) -> Iterator[list[list[Cell]]]:
        lookups = [lookup for _title, lookup in self.export_columns]
        # The list's own order would only cost; what is prefetched is not for tuples.
        ordered = rows.prefetch_related(None).order_by("pk").values_list("pk", *lookups)
        return _by_key(ordered, [self._shown(lookup) for lookup in lookups])

    def _shown(self, lookup: str) -> Show:
        """How the values of a column are written."""
        try:
            choices = dict(self.opts.get_field(lookup).flatchoices)
        except FieldDoesNotExist:
            choices = {}
        words = {value: str(text) for value, text in choices.items()}
        words |= {None: "", True: _("Yes"), False: _("No")}

        def show(value: Any) -> Cell:
            if isinstance(value, datetime):
                return timezone.localtime(value).replace(tzinfo=None, microsecond=0)
            return words.get(value, value) if isinstance(value, str | bool | None) else value

        return show

    def _reverse(self, view: str, *args: str) -> str:
        return reverse(f"admin:{_name(self.opts)}_{view}", args=args)

    def _file_name(self, form: str) -> str:
        return f"{self.opts.model_name}s-{timezone.localdate().isoformat()}.{form}"


def _by_key(ordered: QuerySet, shown: Sequence[Show]) -> Iterator[list[list[Cell]]]:
    """Page after page by the key in front: without cursor, offset, or a table in memory."""
    page = list(ordered[:ROWS_IN_PAGE])
    while page:
        yield [[show(value) for show, value in zip(shown, row[1:], strict=True)] for row in page]
        page = list(ordered.filter(pk__gt=page[-1][0])[:ROWS_IN_PAGE])


def _name(opts: Any) -> str:
    return f"{opts.app_label}_{opts.model_name}"
