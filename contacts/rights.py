"""What of contacts and leads a user may see and change: who is only an operator, what is his or
her own; everybody else, what the permissions say.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.models import OPEN, Contact
from crm_project.errors import Conflict
from leads.models import Lead
from operators.models import Operator
from operators.roles import User, is_only_operator, is_team_lead

# A limit makes PostgreSQL begin with an operator's contacts, not with all leads in order of age.
MORE_THAN_ANYBODY_HAS = 10_000_000


class NotYours(Conflict):
    """The contact is no longer that of the operator for whom somebody acts."""

    default_code = "not_yours"
    default_detail = _("Somebody else has this contact now.")

    def __init__(self, contact: Contact) -> None:
        if contact.operator:
            text = gettext("Contact %(contact)s is with another operator now: %(name)s.")
        else:
            text = gettext("Contact %(contact)s is with nobody now.")
        super().__init__(text % {"contact": contact, "name": contact.operator})


def operator_of(user: User) -> Operator | None:
    """The operator as whom the user works; None: nobody has linked one."""
    return getattr(user, "operator", None)


def only_of(user: User) -> int | None:
    """The operator whose contacts alone the user may change, as the services take it; None: any.

    Raises PermissionDenied where nobody has linked the operator.
    """
    if not is_only_operator(user):
        return None
    if operator := operator_of(user):
        return operator.pk
    raise PermissionDenied


def may_handle_personal_data(user: User) -> bool:
    """May the user take out, or erase, all that is kept about a person?"""
    return is_team_lead(user)


def visible_contacts(user: User, contacts: QuerySet[Contact] | None = None) -> QuerySet[Contact]:
    """Those of the contacts (None: of all) that the user may see; an operator's own open ones."""
    found = Contact.objects.all() if contacts is None else contacts
    if not is_only_operator(user):
        return found
    # Nobody has the contacts that wait: without the check, they would be seen without a link.
    operator = operator_of(user)
    return found.filter(OPEN, operator=operator) if operator else found.none()


def visible_leads(user: User, leads: QuerySet[Lead] | None = None) -> QuerySet[Lead]:
    """Those of the leads (None: of all) that the user may see; an operator's, those of whom he or
    she has a contact, open or closed.
    """
    found = Lead.objects.all() if leads is None else leads
    if not is_only_operator(user):
        return found
    operator = operator_of(user)
    if operator is None:
        return found.none()
    theirs = Contact.objects.filter(operator=operator).order_by().values("lead").distinct()
    return found.filter(pk__in=theirs[:MORE_THAN_ANYBODY_HAS])
