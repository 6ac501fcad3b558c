"""Every write to leads.

Lock order: a lead comes before operators and contacts.
"""

from collections.abc import Collection, Mapping
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
    leads = list(Lead.objects.filter(external_id__in=profiles))
    lacking = [lead.pk for lead in leads if _missing(lead, profiles[lead.external_id])]
    filled = _fill_empty(lacking, profiles)
    return {lead.external_id: filled.get(lead.pk, lead) for lead in leads}


def _fill_empty(ids: Collection[int], profiles: Mapping[str, Profile]) -> dict[int, Lead]:
    """These leads as they are now, locked in order, with what was empty filled."""
    if not ids:
        return {}
    locked = Lead.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    leads = {lead.pk: lead for lead in locked}
    for lead in leads.values():
        profile = profiles[lead.external_id]
        for name in _missing(lead, profile):
            setattr(lead, name, getattr(profile, name))
    Lead.objects.bulk_update(leads.values(), [field.name for field in fields(Profile)])
    return leads


def _missing(lead: Lead, profile: Profile) -> list[str]:
    names = [field.name for field in fields(profile)]
    return [name for name in names if getattr(profile, name) and not getattr(lead, name)]
