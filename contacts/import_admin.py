"""The pages of the admin that import contacts and leads from a file."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminRadioSelectWidget

from contacts.import_report import distribution_hint, faults_as_pages, first_faults, outcome_rows
from contacts.import_rows import CONTACTS, KINDS, LEADS
from contacts.import_runs import advance, first_items, read_in
from contacts.models import Contact, ImportRun
from crm_project.api.access import actor_of
from crm_project.careful_admin import words
from crm_project.errors import Conflict
from crm_project.sheets.export_admin import ListButtonsMixin, button
from crm_project.sheets.reading import MOST_BYTES, MOST_ROWS, SheetError
from crm_project.sheets.writing import csv_parts

ROWS_SHOWN, FAULTS_SHOWN = 20, 100
KIND_NAMES = {CONTACTS: gettext_lazy("Contacts"), LEADS: gettext_lazy("Leads")}
LISTS = {CONTACTS: "admin:contacts_contact_changelist", LEADS: "admin:leads_lead_changelist"}


class ImportForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("What is in the file"))
    file = forms.FileField(label=gettext_lazy("File"), max_length=255)

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(kind, KIND_NAMES[kind]) for kind in kinds]
        self.fields["kind"].widget = UnfoldAdminRadioSelectWidget()
        self.fields["kind"].choices = choices
        self.fields["file"].widget = UnfoldAdminFileFieldWidget(
            attrs={"accept": ".csv,.txt,.xlsx", "data-most": MOST_BYTES}
            | {"data-too-large": _too_large()}
        )
        self.fields["file"].help_text = _(
            "CSV or XLSX, up to %(size)s and %(rows)s rows; the first row has the titles."
        ) % {
            "size": filesizeformat(MOST_BYTES),
            "rows": number_format(MOST_ROWS, force_grouping=True),
        }

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_too_large())
        return file


def _too_large() -> str:
    size = filesizeformat(MOST_BYTES)
    return _("The file is larger than %(size)s. Split it.") % {"size": size}


def kinds_for(request: HttpRequest) -> list[str]:
    """What the user may import."""
    return [name for name, kind in KINDS.items() if request.user.has_perm(kind.permission)]


class ImportLinkMixin(ListButtonsMixin):
    """Adds the button that leads to the import of what the list shows."""

    import_kind: str

    def list_buttons(self, request: HttpRequest, changelist: Any) -> list[dict[str, Any]]:
        buttons = super().list_buttons(request, changelist)
        if self.import_kind not in kinds_for(request):
            return buttons
        address = f"{reverse('admin:contacts_import')}?kind={self.import_kind}"
        return [*buttons, button(_("Import"), "upload", path=address)]


class LeadImport(ImportLinkMixin):
    import_kind = LEADS


class ContactImport(ImportLinkMixin):
    """Holds the pages for every kind."""

    import_kind = CONTACTS
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        return [
            self._page("import/", "contacts_import", self.upload_view),
            self._page("import/<int:pk>/", "contacts_import_run", require_GET(self.run_view)),
            self._page(
                "import/<int:pk>/next/", "contacts_import_next", require_POST(self.next_view)
            ),
            self._page(
                "import/<int:pk>/errors/", "contacts_import_errors", require_GET(self.errors_view)
            ),
            *super().get_urls(),
        ]

    def _page(self, route: str, name: str, view: Callable[..., HttpResponse]) -> URLPattern:
        def permitted(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if not kinds_for(request):
                raise PermissionDenied
            return view(request, **kwargs)

        return path(route, self.admin_site.admin_view(permitted), name=name)

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        kinds = kinds_for(request)
        form = ImportForm(
            request.POST or None,
            request.FILES or None,
            kinds=kinds,
            initial={"kind": request.GET.get("kind", kinds[0])},
        )
        if request.method == "POST" and form.is_valid():
            file, kind = form.cleaned_data["file"], form.cleaned_data["kind"]
            try:
                run = read_in(file.file, kind=kind, file_name=file.name, user=request.user)
                return redirect("admin:contacts_import_run", pk=run.pk)
            except SheetError as error:
                form.add_error("file", str(error))
        columns = [(KIND_NAMES[name], _columns(name)) for name in kinds]
        context = {"form": form, "columns": columns, "runs": _own_runs(request)[:10]}
        return self._render(request, "contacts/import_upload.html", context)

    def run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Before the import what it would do, during it how far it is, after it what it did."""
        run = get_object_or_404(_own_runs(request), pk=pk)
        context: dict[str, Any] = {"run": run, "list_url": reverse(LISTS[run.kind])}
        context["outcomes"] = outcome_rows(run)
        if not run.parts_done:
            items = first_items(run, ROWS_SHOWN)
            titles = KINDS[run.kind].titles
            context["titles"] = list(titles.values())
            context["items"] = [
                (item.row, [item.fields.get(field, "") for field in titles]) for item in items
            ]
            context["hint"] = distribution_hint(run)
        if not run.parts_done or run.finished_at:
            context["faults"] = first_faults(run, FAULTS_SHOWN)
        return self._render(request, "contacts/import_run.html", context)

    def next_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = get_object_or_404(_own_runs(request), pk=pk)
        try:
            advance(run.pk, actor=actor_of(request))
        except IntegrityError:
            # A source has just gone; nothing of the part was written.
            messages.warning(request, Conflict.default_detail)
        except (OperationalError, InterfaceError) as error:
            messages.warning(request, words(error))
        return redirect("admin:contacts_import_run", pk=pk)

    def errors_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = get_object_or_404(_own_runs(request), pk=pk)
        header = [_("Row"), _("Column"), _("What is wrong")]
        parts = csv_parts(header, faults_as_pages(run))
        headers = {"Content-Disposition": f'attachment; filename="import-{run.pk}-errors.csv"'}
        return StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8", headers=headers)

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        site = self.admin_site.each_context(request)
        return render(
            request, template, site | {"title": _("Import"), "opts": Contact._meta} | context
        )


def _own_runs(request: HttpRequest) -> Any:
    return ImportRun.objects.filter(
        user=request.user, parts__isnull=False, kind__in=kinds_for(request)
    )


def _columns(name: str) -> list[tuple[str, str, bool]]:
    """Title, field, and whether it must be there."""
    kind = KINDS[name]
    return [
        (capfirst(str(title)), field, number < kind.required)
        for number, (field, title) in enumerate(kind.titles.items())
    ]
