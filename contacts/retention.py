"""Whose data are no longer needed: leads who have been silent for long."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, OuterRef

from contacts.erasing import not_closed_before
from contacts.models import Contact
from leads.models import Lead


def silent_leads(since: datetime, *, batch: int) -> Iterator[list[int]]:
    """The ids, in batches of so many leads looked at, of those whose contacts, one at least, were
    all closed before then. Who never wrote is none of them.

    Walks along the ids, and what is erased meanwhile does not disturb it.
    """
    theirs = Contact.objects.filter(lead=OuterRef("pk")).order_by()
    silent = Lead.objects.filter(
        Exists(theirs), ~Exists(theirs.filter(not_closed_before(since)))
    ).order_by("pk")
    # Nobody younger can have been silent for so long.
    leads = Lead.objects.filter(erased_at=None, merged_into=None, created_at__lt=since)
    last = 0
    while ids := list(
        leads.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:batch]
    ):
        last = ids[-1]
        if found := list(silent.filter(pk__in=ids).values_list("pk", flat=True)):
            yield found
