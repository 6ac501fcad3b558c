"""Search in the list of contacts, bounded however many there are."""

from django.db.models import Q, QuerySet

from contacts.models import Contact
from contacts.text_search import contacts_with
from leads.selectors import known_as, survivors_of

MOST_LEADS = 500


def search(contacts: QuerySet[Contact], term: str) -> QuerySet[Contact]:
    """Those of a contact's number, of a lead's whole phone, e-mail or external id; else those with
    the term in the message or the lead's name, phone or external id, in any case.
    """
    term = term.strip()
    if not term:
        return contacts
    number = term.lstrip("№# ")
    known = Q(lead__in=list(survivors_of(known_as(term).order_by("-pk"))[:MOST_LEADS]))
    if number.isascii() and number.isdigit() and len(number) < 19:
        known |= Q(pk=int(number))
    if contacts.filter(known).exists():
        return contacts.filter(known)
    return contacts_with(contacts, term, lead_fields=("name", "external_id", "phone"))
