"""What a person may ask of us, in the back office: a copy of his or her data, and their erasure."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from contacts.erasing import erase_lead, outlooks
from contacts.personal_data import as_json, file_name
from contacts.rights import may_handle_personal_data
from crm_project.api.access import actor_of
from crm_project.api.filters import LARGEST_ID
from crm_project.careful_admin import is_id, tell_each
from leads.models import Lead
from leads.selectors import possible_duplicates

MOST_AT_ONCE = 100
MOST_DUPLICATES = 20


class PersonalDataMixin:
    """Of the admin of leads, for team leads alone."""

    # Before the form, because a read-only page has no other place for them.
    change_form_outer_before_template = "admin/leads/lead/buttons.html"
    admin_site: Any
    opts: Any
    media: Any
    get_queryset: Callable[[HttpRequest], QuerySet[Lead]]

    def get_urls(self) -> list[URLPattern]:
        def view(function: Callable[..., HttpResponse]) -> Any:
            return self.admin_site.admin_view(function)

        return [
            path("<int:lead_id>/data/", view(require_GET(self.data_view)), name="leads_lead_data"),
            path("erase/", view(self.erase_view), name="leads_lead_erase"),
            *super().get_urls(),  # type: ignore[misc]  # of a ModelAdmin
        ]

    def has_personal_data_permission(self, request: HttpRequest) -> bool:
        return may_handle_personal_data(request.user)

    def data_view(self, request: HttpRequest, lead_id: int) -> HttpResponse:
        """Everything kept about the lead, as a file."""
        self._check(request)
        if lead_id > LARGEST_ID or not self.get_queryset(request).filter(pk=lead_id).exists():
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="{file_name(lead_id)}"'}
        return StreamingHttpResponse(
            as_json(lead_id), content_type="application/json; charset=utf-8", headers=headers
        )

    @admin.action(description=gettext_lazy("Erase personal data …"), permissions=["personal_data"])
    def erase(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse:
        ids = queryset.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE]
        query = ",".join(str(each) for each in ids)
        return redirect(f"{reverse('admin:leads_lead_erase')}?ids={query}")

    def erase_view(self, request: HttpRequest) -> HttpResponse:
        """Say what will go and what stays; a POST erases it."""
        self._check(request)
        ids = [int(each) for each in request.GET.get("ids", "").split(",") if is_id(each)]
        found = outlooks(ids[:MOST_AT_ONCE])
        if not found:
            raise Http404
        back = reverse("admin:leads_lead_changelist")
        people = [each for each in found if not each.lead.erased_at]
        if not people:
            messages.info(request, _("The personal data are erased already."))
            return redirect(back)
        if len(people) == 1:
            back = reverse("admin:leads_lead_change", args=[people[0].lead.pk])
        if request.method == "POST":
            self._erase(request, [each.lead for each in people], close="close" in request.POST)
            return redirect(back)
        context = self.admin_site.each_context(request) | {
            "title": _("Erase personal data"),
            "opts": self.opts,
            "media": self.media,
            "people": people,
            "opened": sum(each.opened for each in people),
            "duplicates": possible_duplicates(people[0].lead, most=MOST_DUPLICATES)
            if len(people) == 1
            else [],
            "back": back,
        }
        return TemplateResponse(request, "admin/leads/lead/erase.html", context)

    @staticmethod
    def _erase(request: HttpRequest, leads: list[Lead], *, close: bool) -> None:
        def act(lead: Lead) -> str:
            done = erase_lead(lead.pk, close=close, actor=actor_of(request))
            # Whoever it was is not to be named any more.
            lead.refresh_from_db()
            return _("personal data erased; contacts: %(count)d.") % {"count": done.contacts}

        tell_each(request, leads, act)

    def _check(self, request: HttpRequest) -> None:
        if not self.has_personal_data_permission(request):
            raise PermissionDenied
