"""«Мои обращения»: an operator's first page, with what there is to do and the buttons to do it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import InterfaceError, OperationalError
from django.db.models import Case, Count, Q, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from contacts.models import OPEN, Contact, DecisionRecord
from contacts.rights import NotYours, operator_of
from contacts.selectors import further_messages
from contacts.services import change_status, reassign_contact
from contacts.staffing import change_operator
from crm_project.actor import Actor
from crm_project.api.access import actor_of
from crm_project.careful_admin import words
from crm_project.errors import Conflict
from operators.models import Operator

MOST_CARDS = 100
# A message longer than this, in characters or in lines, is folded.
LONG_MESSAGE, LONG_LINES = 280, 6
# More ids than these are told as a number.
MOST_NAMED = 5

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Card:
    """An open contact as its operator sees it; `earlier`: so many of the lead's are closed;
    `further`: so many messages came after what made it.
    """

    contact: Contact
    earlier: int
    further: int

    @property
    def tel(self) -> str:
        """What a phone can dial of the lead's phone; empty if nothing."""
        phone = self.contact.lead.phone
        digits = re.sub(r"[^0-9]", "", phone)
        return f"+{digits}" if digits and phone.strip().startswith("+") else digits

    @property
    def is_long(self) -> bool:
        message = self.contact.message
        return len(message) > LONG_MESSAGE or message.count("\n") >= LONG_LINES


def urls(wrap: Callable[[View], View]) -> list[URLPattern]:
    """The addresses of the page, each view wrapped by that of an admin site."""
    return [
        path("my/", wrap(page), name="desk"),
        path("my/cards/", wrap(cards), name="desk_cards"),
        path("my/accepting/", wrap(set_accepting), name="desk_accepting"),
        path("my/<int:contact_id>/", wrap(act), name="desk_act"),
    ]


def for_operators(view: View) -> View:
    """Give the view the user's operator; where nobody has linked one, a page says who must."""

    @wraps(view)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm("contacts.change_contact"):
            raise PermissionDenied
        operator = operator_of(request.user)
        if operator is None:
            return render(request, "admin/desk/unlinked.html", _around(request), status=403)
        return view(request, operator, **kwargs)

    return wrapped


def _around(request: HttpRequest) -> dict[str, Any]:
    return admin.site.each_context(request) | {"title": _("My contacts")}


@require_safe
@for_operators
def page(request: HttpRequest, operator: Operator) -> HttpResponse:
    return render(request, "admin/desk/page.html", _around(request) | _desk(operator))


@require_safe
@for_operators
def cards(request: HttpRequest, operator: Operator) -> HttpResponse:
    """What the page refreshes itself with."""
    return render(request, "admin/desk/desk.html", _desk(operator))


def _desk(operator: Operator) -> dict[str, Any]:
    mine = Contact.objects.filter(OPEN, operator=operator)
    counts = mine.aggregate(load=Count("pk"), new=Count("pk", Q(status=Contact.Status.NEW)))
    new_first = Case(When(status=Contact.Status.NEW, then=Value(0)), default=Value(1))
    order = [new_first, "created_at", "pk"]
    # Of thousands, only those shown are joined with their leads.
    ids = list(mine.order_by(*order).values_list("pk", flat=True)[:MOST_CARDS])
    shown = mine.filter(pk__in=ids).select_related("lead", "source").order_by(*order)
    shown = shown.annotate(further=further_messages())
    closed = Contact.objects.filter(
        operator=operator,
        status=Contact.Status.CLOSED,
        lead__in={contact.lead_id for contact in shown},
    )
    earlier = dict(closed.order_by().values_list("lead").annotate(count=Count("pk")))
    return counts | {
        "operator": operator,
        "cards": [Card(each, earlier.get(each.lead_id, 0), each.further) for each in shown],
        "more": max(0, counts["load"] - len(shown)),
    }


@require_POST
@for_operators
def set_accepting(request: HttpRequest, operator: Operator) -> HttpResponse:
    accepting = request.POST.get("accepting") == "yes"

    def change() -> str:
        change_operator(operator, {"is_active": accepting}, actor=actor_of(request))
        if accepting:
            return _("You take new contacts now.")
        return _("You take no new contacts now; those you have stay with you.")

    return _report(request, operator, change)


@require_POST
@for_operators
def act(request: HttpRequest, operator: Operator, contact_id: int) -> HttpResponse:
    """Do to one of the operator's contacts what the button says."""
    action = ACTIONS.get(request.POST.get("action", ""))
    if action is None:
        return HttpResponseBadRequest()
    actor = actor_of(request)
    return _report(request, operator, lambda: action(contact_id, operator, actor), contact_id)


def _take(contact_id: int, operator: Operator, actor: Actor) -> str:
    status = Contact.Status.IN_PROGRESS
    contact = change_status(contact_id, status=status, only_of=operator.pk, actor=actor)
    return _("Contact %(contact)s is in progress.") % {"contact": contact}


def _close(contact_id: int, operator: Operator, actor: Actor) -> str:
    status = Contact.Status.CLOSED
    contact = change_status(contact_id, status=status, only_of=operator.pk, actor=actor)
    return _("Contact %(contact)s is closed.") % {"contact": contact}


def _return(contact_id: int, operator: Operator, actor: Actor) -> str:
    done = reassign_contact(contact_id, only_of=operator.pk, actor=actor)
    if not done.moved:
        text = _("Contact %(contact)s stays with you: nobody else is available.")
    elif done.contact.operator:
        text = _("Contact %(contact)s went to another operator: %(name)s.")
    else:
        text = _("Contact %(contact)s waits until somebody is available.")
    return text % {"contact": done.contact, "name": done.contact.operator}


ACTIONS = {"take": _take, "close": _close, "return": _return}


def _report(
    request: HttpRequest, operator: Operator, do: Callable[[], str], contact_id: int | None = None
) -> HttpResponse:
    """Tell on the page what came of it, and what the operator was given meanwhile."""
    since = timezone.now()
    try:
        text = do()
        given = _given(operator, since)
        messages.success(request, f"{text} {given}".strip())
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Conflict as error:
        # Who never had the contact learns nothing of it.
        if isinstance(error, NotYours) and not _had(operator, contact_id):
            raise Http404 from error
        messages.warning(request, str(error.detail))
    except (OperationalError, InterfaceError) as error:
        messages.warning(request, words(error))
    return redirect("admin:desk")


def _given(operator: Operator, since: datetime) -> str:
    """One sentence about what has become the operator's since then; empty if nothing has."""
    came = Contact.objects.filter(OPEN, operator=operator, assigned_at__gte=since)
    ids = list(came.order_by("assigned_at", "pk").values_list("pk", flat=True))
    if not ids:
        return ""
    if len(ids) <= MOST_NAMED:
        return _("You were given %(contacts)s.") % {"contacts": ", ".join(f"№ {pk}" for pk in ids)}
    count = len(ids)
    text = ngettext(
        "You were given %(count)d contact.", "You were given %(count)d contacts.", count
    )
    return text % {"count": count}


def _had(operator: Operator, contact_id: int | None) -> bool:
    """Does the history tell that the contact was this operator's?"""
    decisions = DecisionRecord.objects.filter(contact=contact_id)
    return decisions.filter(
        Q(operator_id=operator.pk) | Q(previous_operator_id=operator.pk)
    ).exists()
