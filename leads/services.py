"""Every write to leads.

Lock order: a lead comes before operators and contacts.
"""

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from datetime import datetime

from django.db import transaction

from leads.models import Lead


@dataclass(frozen=True, slots=True)
class Profile:
    """What an inquiry says about its lead; an empty text is not known."""

    name: str = ""
    phone: str = ""
    email: str = ""

    def or_else(self, other: "Profile") -> "Profile":
        """This one, completed by what the other knows."""
        return Profile(
            *(mine or theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True))
        )


@transaction.atomic(savepoint=False)
def find_or_create_leads(profiles: Mapping[str, Profile], *, now: datetime) -> dict[str, Lead]:
    """Return the one lead for each external id, made now if there was none.

    What the profile tells fills what is still empty; it overwrites nothing. Of two that make the
    same lead at once, the second waits for the first and finds its row.
    """
    new = [
        Lead(external_id=external_id, created_at=now, **asdict(profile))
        # In one order, so that two that make the same leads do not wait for each other.
        for external_id, profile in sorted(profiles.items())
    ]
    # Conflicts are ignored rather than caught: an error would spoil the whole transaction.
    Lead.objects.bulk_create(new, ignore_conflicts=True)
    leads = Lead.objects.filter(external_id__in=profiles).order_by("external_id")
    return {lead.external_id: _fill_empty(lead, profiles[lead.external_id]) for lead in leads}


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
