"""Leads from a file: they fill what is not known yet and overwrite nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields

from django.utils import timezone

from leads.models import Lead
from leads.services import Profile, find_or_create_leads


def take_in(rows: Sequence[tuple[str, Profile]]) -> Counter[str]:
    """Find or make the lead of each external id; count the rows by what they did, in their order:
    `new`, `filled` what was empty, or `unchanged`.
    """
    known = _known({external_id for external_id, _ in rows})
    told: dict[str, Profile] = {}
    outcomes: Counter[str] = Counter()
    for external_id, profile in rows:
        told[external_id] = told.get(external_id, profile).or_else(profile)
        before = known.get(external_id)
        known[external_id] = before.or_else(profile) if before else profile
        if before is None:
            outcomes["new"] += 1
        else:
            outcomes["unchanged" if known[external_id] == before else "filled"] += 1
    find_or_create_leads(told, now=timezone.now())
    return outcomes


def _known(external_ids: set[str]) -> dict[str, Profile]:
    names = [field.name for field in fields(Profile)]
    found = Lead.objects.filter(external_id__in=external_ids).values_list("external_id", *names)
    return {external_id: Profile(*profile) for external_id, *profile in found}
