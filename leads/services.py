"""Every write to leads.

Lock order: a lead comes before operators and contacts.
"""

from dataclasses import dataclass, fields
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from leads.models import Lead


@dataclass(frozen=True, slots=True)
class Profile:
    """What an inquiry says about its lead; an empty text is not known."""

    name: str = ""
    phone: str = ""
    email: str = ""


@transaction.atomic(savepoint=False)
def find_or_create_lead(external_id: str, *, profile: Profile, now: datetime | None = None) -> Lead:
    """Return the one lead with this id, made now if there was none.

    What the profile tells fills what is still empty; it overwrites nothing. Of two that make the
    same lead at once, the second waits for the first and finds its row. `now` None means the
    present moment.
    """
    lead = Lead.objects.filter(external_id=external_id).first()
    if lead is None:
        # Conflicts are ignored rather than caught: an error would spoil the whole transaction.
        made = Lead(
            external_id=external_id,
            name=profile.name,
            phone=profile.phone,
            email=profile.email,
            created_at=now or timezone.now(),
        )
        Lead.objects.bulk_create([made], ignore_conflicts=True)
        lead = Lead.objects.get(external_id=external_id)
    return _fill_empty(lead, profile)


def _fill_empty(lead: Lead, profile: Profile) -> Lead:
    if not _missing(lead, profile):
        return lead
    locked = Lead.objects.select_for_update(no_key=True).get(pk=lead.pk)
    missing = _missing(locked, profile)
    for name in missing:
        setattr(locked, name, getattr(profile, name))
    locked.save(update_fields=missing)
    return locked


def _missing(lead: Lead, profile: Profile) -> list[str]:
    names = [field.name for field in fields(profile)]
    return [name for name in names if getattr(profile, name) and not getattr(lead, name)]
