"""A contact in the back office: what became of it, what can be done, and whom to hand it to."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.admin_actions import ACTS, do_each, reassign_to
from contacts.models import Contact
from contacts.selectors import conversation, with_load
from contacts.timeline import timeline
from contacts.waiting import causes
from contacts.wording import cause_in_words
from crm_project.api.filters import LARGEST_ID
from crm_project.audit.admin import who
from crm_project.careful_admin import is_id
from operators.models import Operator

MOST_AT_ONCE = 100
# Of a longer conversation, the newest.
MOST_MESSAGES = 200
LABELS = {
    "take": gettext_lazy("Take into work"),
    "close": gettext_lazy("Close"),
    "reopen": gettext_lazy("Reopen"),
    "reassign": gettext_lazy("Reassign"),
}
POSSIBLE = {
    Contact.Status.NEW: ["take", "close", "reassign"],
    Contact.Status.IN_PROGRESS: ["close", "reassign"],
    Contact.Status.CLOSED: ["reopen"],
}


def urls(model_admin: Any) -> list[URLPattern]:
    """The addresses beside those of the admin itself."""

    def view(function: Any) -> Any:
        return model_admin.admin_site.admin_view(
            lambda request, **kwargs: function(model_admin, request, **kwargs)
        )

    return [
        path("<int:contact_id>/do/<slug:name>/", view(do), name="contacts_contact_do"),
        path("reassign_to/", view(hand_over), name="contacts_contact_reassign_to"),
    ]


def around(contact: Contact, *, may_act: bool, may_hand_over: bool, why: bool) -> dict[str, Any]:
    """What the page shows beside the fields; `why`: as for `timeline`."""
    # Of a lead whose data are erased all contacts are closed, for good.
    may_act = may_act and not contact.lead.erased_at
    possible = POSSIBLE[Contact.Status(contact.status)] if may_act else []
    if contact.operator_id is None:
        possible = [name for name in possible if name != "take"]
    return {
        "events": [
            (event, who(event.actor_type, event.actor_name)) for event in timeline(contact, why=why)
        ],
        "acts": [(name, LABELS[name]) for name in possible],
        "may_hand_over": may_hand_over and contact.is_open,
        "cause": _cause(contact),
        "conversation": conversation(contact, most=MOST_MESSAGES),
    }


def do(model_admin: Any, request: HttpRequest, contact_id: int, name: str) -> HttpResponse:
    """Do to the contact what one of its buttons says."""
    if request.method != "POST" or name not in ACTS or contact_id > LARGEST_ID:
        raise Http404
    contact = _chosen(model_admin, request, [contact_id]).first()
    if contact is None:
        raise Http404
    do_each(request, [contact], ACTS[name])
    # An operator who gave it up does not see it any more.
    seen = model_admin.get_queryset(request).filter(pk=contact_id).exists()
    if seen:
        return redirect("admin:contacts_contact_change", contact_id)
    return redirect("admin:contacts_contact_changelist")


def _cause(contact: Contact) -> str:
    """Why it waits; empty if it does not."""
    if contact.waiting_since is None:
        return ""
    return cause_in_words(causes([contact.source])[contact.source_id])


class HandOverForm(forms.Form):
    """To whom; every operator who is active can be chosen, assigned to the source or not."""

    operator = forms.ModelChoiceField(
        Operator.objects.filter(is_active=True),
        error_messages={"required": gettext_lazy("Choose an operator.")},
    )
    force = forms.BooleanField(required=False)


def hand_over(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Choose to whom some contacts go, and hand them over."""
    if not model_admin.has_hand_over_permission(request):
        raise PermissionDenied
    contacts = list(_chosen(model_admin, request, _ids(request.GET.get("ids", ""))))
    if not contacts:
        raise Http404
    form = HandOverForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        given = form.cleaned_data
        do_each(request, contacts, reassign_to(given["operator"].pk, force=given["force"]))
        return _back(contacts)
    context = admin.site.each_context(request) | {
        "title": _("Reassign to …"),
        "opts": model_admin.opts,
        "contacts": contacts,
        "form": form,
        "operators": _offered(contacts),
        "back": _back(contacts).url,
    }
    return render(request, "admin/contacts/contact/reassign_to.html", context)


def _offered(contacts: list[Contact]) -> list[Operator]:
    """Who can be chosen: first those who serve the source of every contact, the freest first."""
    sources = {contact.source_id for contact in contacts}
    serving = Operator.objects.all()
    for pk in sources:
        serving = serving.filter(pk__in=Operator.objects.filter(assignments__source=pk))
    at_home = set(serving.values_list("pk", flat=True))
    found = list(with_load(Operator.objects.filter(is_active=True)))
    for each in found:
        each.is_at_home = each.pk in at_home
        each.is_full = each.current_load >= each.max_active_contacts
    return sorted(
        found,
        key=lambda one: (not one.is_at_home, one.current_load / one.max_active_contacts, one.name),
    )


def _back(contacts: list[Contact]) -> HttpResponseRedirect:
    if len(contacts) == 1:
        return HttpResponseRedirect(reverse("admin:contacts_contact_change", args=[contacts[0].pk]))
    return HttpResponseRedirect(reverse("admin:contacts_contact_changelist"))


def _ids(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if is_id(each)][:MOST_AT_ONCE]


def _chosen(model_admin: Any, request: HttpRequest, ids: list[int]) -> QuerySet[Contact]:
    """Those of them that the user may see; raises PermissionDenied where he or she may not act."""
    if not model_admin.has_act_permission(request):
        raise PermissionDenied
    found = model_admin.get_queryset(request).filter(pk__in=ids)
    return found.select_related("lead", "source", "operator").order_by("created_at", "pk")
