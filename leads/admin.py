from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework.exceptions import APIException
from unfold.admin import ModelAdmin

from contacts.import_admin import LeadImport
from contacts.merging import merge_leads
from contacts.models import Contact
from contacts.rights import visible_contacts, visible_leads
from contacts.selectors import count_contacts, further_messages
from contacts.text_search import LEAD_FIELDS, leads_with
from crm_project.admin_mixins import VisibleOnlyMixin
from crm_project.api.access import actor_of
from crm_project.audit.admin import AuditedAdmin
from crm_project.careful_admin import CarefulAdmin
from crm_project.paginator import UncountedPaginator
from leads.export_admin import LeadExport
from leads.models import Lead
from leads.personal_data_admin import PersonalDataMixin
from leads.selectors import known_as, possible_duplicates, survivors_of
from leads.services import update_lead
from operators.roles import is_only_operator

NEWEST = 100
MOST_DUPLICATES = 20
MOST_KNOWN = 1000
EXCERPT = 300


@admin.register(Lead)
class LeadAdmin(
    PersonalDataMixin,
    LeadImport,
    LeadExport,
    VisibleOnlyMixin,
    AuditedAdmin,
    CarefulAdmin,
    ModelAdmin,
):
    """People who wrote, each with everything they wrote; two that are one can be merged."""

    list_display = ["__str__", "phone", "email", "external_id", "created_at"]
    # Whatever else the list could be sorted by has no index.
    sortable_by = ["created_at"]
    search_fields = ["name", "external_id", "phone", "phone_e164", "email"]
    search_help_text = gettext_lazy("Name, phone, e-mail or external id")
    list_filter = ["created_at"]
    list_per_page = 50
    paginator = UncountedPaginator
    show_full_result_count = False
    list_disable_select_all = True
    fields = ["name", "phone", "email", "external_id", "created_at"]
    readonly_fields = ["external_id", "created_at"]
    change_form_outer_after_template = "admin/leads/lead/profile.html"
    actions = ["merge", "erase"]

    class Media:
        css = {"all": ["leads/profile.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A lead comes with its first contact."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Lead | None = None) -> bool:
        final = obj is not None and bool(obj.merged_into_id or obj.erased_at)
        return super().has_change_permission(request, obj) and not final

    def has_delete_permission(self, request: HttpRequest, obj: Lead | None = None) -> bool:
        return False

    def visible(self, request: HttpRequest, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        return visible_leads(request.user, queryset)

    def save_model(self, request: HttpRequest, obj: Lead, form: Any, change: bool) -> None:
        update_lead(obj, **form.changes(), expected=form.expected(), actor=actor_of(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Lead], search_term: str
    ) -> tuple[QuerySet[Lead], bool]:
        """A whole number, address or external id finds whose it is and nothing else; all the rest
        is looked for as parts.
        """
        leads = queryset.filter(merged_into=None)
        term = search_term.strip()
        # Nobody's name has them, so that no external id can hide a person.
        if any(each.isdigit() or each == "@" for each in term):
            known = list(survivors_of(known_as(term).order_by("-pk"))[:MOST_KNOWN])
            if known:
                return leads.filter(pk__in=known), False
        for word in term.split():
            leads = leads_with(leads, word, fields=LEAD_FIELDS)
        return leads, False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], **kwargs: Any
    ) -> HttpResponse:
        context |= self._profile(request, kwargs["obj"])
        return super().render_change_form(request, context, **kwargs)

    def _profile(self, request: HttpRequest, lead: Lead) -> dict[str, Any]:
        """What the page shows beside the form."""
        # Who may not merge has no business with others' leads.
        may_merge = self.has_change_permission(request, lead)
        found = possible_duplicates(lead, most=MOST_DUPLICATES) if may_merge else []
        counts = count_contacts([each.lead.pk for each in found])
        return {
            "contacts": self._newest_contacts(request, lead),
            "newest": NEWEST,
            "duplicates": [(each, counts.get(each.lead.pk, 0)) for each in found],
            "may_merge": may_merge,
            "sees_changes": self.has_change_permission(request),
            "handles_data": self.has_personal_data_permission(request),
            "sees_all": not is_only_operator(request.user),
            "merged": lead.merged.order_by("pk")[:NEWEST],
        }

    @staticmethod
    def _newest_contacts(request: HttpRequest, lead: Lead) -> QuerySet[Contact] | None:
        """None: the user may not look at contacts."""
        if not any(
            request.user.has_perm(f"contacts.{each}_contact") for each in ("view", "change")
        ):
            return None
        contacts = (
            visible_contacts(request.user, lead.contacts.all())
            .select_related("source", "operator")
            .defer("message")
        )
        excerpts = contacts.annotate(excerpt=Left("message", EXCERPT), further=further_messages())
        return excerpts.order_by("-created_at", "-pk")[:NEWEST]

    # --- merging ------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.merge_view)
        merge = path("<int:lead_id>/merge/<int:other_id>/", view, name="leads_lead_merge")
        return [merge, *super().get_urls()]

    @admin.action(description=gettext_lazy("Merge two leads"), permissions=["change"])
    def merge(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse | None:
        pair = list(queryset.order_by("pk").values_list("pk", flat=True)[:3])
        if len(pair) == 2:
            return redirect("admin:leads_lead_merge", *pair)
        self.message_user(request, _("Select exactly two leads."), messages.WARNING)
        return None

    def merge_view(self, request: HttpRequest, lead_id: int, other_id: int) -> HttpResponse:
        """Show both and ask which one stays; a POST that names it merges them."""
        pair = [get_object_or_404(Lead, pk=pk) for pk in (lead_id, other_id)]
        if not self.has_change_permission(request):
            raise PermissionDenied
        survivor = next((each for each in pair if str(each.pk) == request.POST.get("stays")), None)
        if survivor:
            other = pair[1] if survivor is pair[0] else pair[0]
            return self._merge(request, survivor, other)
        counts = count_contacts([lead_id, other_id])
        context = {
            **self.admin_site.each_context(request),
            "title": _("Merge two leads"),
            "opts": self.opts,
            "original": pair[0],
            "media": self.media,
            "sides": _fuller_first(pair, counts),
        }
        return TemplateResponse(request, "admin/leads/lead/merge.html", context)

    def _merge(self, request: HttpRequest, survivor: Lead, merged: Lead) -> HttpResponse:
        try:
            done = merge_leads(
                survivor_id=survivor.pk, merged_id=merged.pk, actor=actor_of(request)
            )
        except APIException as error:
            self.message_user(request, str(error.detail), messages.ERROR)
            return redirect("admin:leads_lead_change", survivor.pk)
        message = ngettext(
            "“%(lead)s” (%(id)s) was merged into this lead: %(count)d contact moved.",
            "“%(lead)s” (%(id)s) was merged into this lead: %(count)d contacts moved.",
            done.contacts,
        )
        text = message % {"lead": merged, "id": merged.external_id, "count": done.contacts}
        self.message_user(request, text, messages.SUCCESS)
        return redirect("admin:leads_lead_change", survivor.pk)


def _fuller_first(pair: list[Lead], counts: dict[int, int]) -> list[tuple[Lead, int]]:
    """The one with more contacts, of equals the older one, is what people mean to keep."""
    sides = [(lead, counts.get(lead.pk, 0)) for lead in pair]
    return sorted(sides, key=lambda side: (-side[1], side[0].created_at, side[0].pk))
