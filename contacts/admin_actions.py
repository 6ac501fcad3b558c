"""What people do with contacts in the back office: one at a time through the services, and told."""

from collections.abc import Callable, Iterable

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from contacts.rights import only_of
from contacts.services import OperatorFull, change_status, reassign_contact
from contacts.wording import explain
from crm_project.api.access import actor_of
from crm_project.careful_admin import tell_each
from crm_project.errors import Conflict

Act = Callable[[HttpRequest, Contact], str]


class NobodyHasIt(Conflict):
    default_code = "nobody_has_it"
    default_detail = gettext_lazy("It waits: hand it to somebody first.")


def take(request: HttpRequest, contact: Contact) -> str:
    if contact.operator_id is None:
        raise NobodyHasIt
    return _move(request, contact, Contact.Status.IN_PROGRESS)


def close(request: HttpRequest, contact: Contact) -> str:
    return _move(request, contact, Contact.Status.CLOSED)


def reopen(request: HttpRequest, contact: Contact) -> str:
    if contact.is_open:
        return _("It is open already.")
    return _move(request, contact, Contact.Status.NEW)


def reassign(request: HttpRequest, contact: Contact) -> str:
    done = reassign_contact(contact.pk, only_of=only_of(request.user), actor=actor_of(request))
    return explain(done.contact, done.decision, moved=done.moved)


def reassign_to(operator_id: int, *, force: bool) -> Act:
    """Hand it to that operator, above the limit only with `force`."""

    def act(request: HttpRequest, contact: Contact) -> str:
        try:
            done = reassign_contact(
                contact.pk, operator_id=operator_id, force=force, actor=actor_of(request)
            )
        except OperatorFull as error:
            text = _("The operator is at the limit: tick “Above the limit too” to hand it over.")
            raise OperatorFull(text) from error
        return explain(done.contact, done.decision, moved=done.moved)

    return act


def _move(request: HttpRequest, contact: Contact, status: str) -> str:
    moved = change_status(
        contact.pk, status=status, only_of=only_of(request.user), actor=actor_of(request)
    )
    return f"{moved.get_status_display()}: {moved.operator or _('waiting')}"


# By their names in addresses and in the list's menu.
ACTS: dict[str, Act] = {"take": take, "close": close, "reopen": reopen, "reassign": reassign}


def do_each(request: HttpRequest, contacts: Iterable[Contact], act: Act) -> None:
    """Do it to one contact at a time, and tell each outcome."""
    tell_each(request, contacts, lambda contact: act(request, contact))
