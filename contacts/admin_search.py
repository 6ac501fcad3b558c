"""Search in the list of contacts, bounded however many there are."""

from django.db.models import Q, QuerySet

from contacts.models import Contact
from leads.selectors import known_as, survivors_of

# Parts of texts are looked for in the newest so many contacts: no index serves them on every
# database. What identifies somebody is found by indexes, wherever it is.
NEWEST = 20_000
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
    parts = Q(message__icontains=term)
    for name in ("name", "external_id", "phone"):
        parts |= Q(**{f"lead__{name}__icontains": term})
    return _newest(contacts).filter(parts)


def _newest(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    moments = Contact.objects.order_by("-created_at", "-pk").values_list("created_at", flat=True)
    oldest = moments[NEWEST : NEWEST + 1].first()
    return contacts.filter(created_at__gte=oldest) if oldest else contacts
