"""Every write to leads.

Lock order: leads by pk, all in one statement; they come before operators and contacts. Whoever
writes for a lead holds its lock until that is done, so that it is not merged away meanwhile.
"""

from collections.abc import Collection, KeysView, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm_project.actor import SYSTEM, Actor
from crm_project.among import Among
from crm_project.audit.services import note_changed
from crm_project.copying import new_like
from crm_project.errors import Conflict, StaleError
from crm_project.statements import read, run
from leads.copying import make_missing
from leads.identity import erased_id, normalised_email, normalised_phone
from leads.matching import make_aliases, may_be_known
from leads.models import Lead
from leads.selectors import survivors_of


class LeadIsMerged(Conflict):
    default_code = "lead_is_merged"
    default_detail = _("The lead has been merged into another one.")


class SameLead(Conflict):
    default_code = "same_lead"
    default_detail = _("A lead cannot be merged into itself.")


class LeadIsErased(Conflict):
    default_code = "lead_is_erased"
    default_detail = _("The personal data of this lead have been erased.")


@dataclass(frozen=True, slots=True)
class Profile:
    """What an inquiry says about its lead; an empty text is not known."""

    name: str = ""
    phone: str = ""
    email: str = ""

    def or_else(self, other: "Profile") -> "Profile":
        """This one, completed by what the other knows."""
        return Profile(
            self.name or other.name, self.phone or other.phone, self.email or other.email
        )


KEPT = [field.name for field in fields(Profile)]
KEYS = {"phone": "phone_e164", "email": "email_key"}
WRITTEN = [*KEPT, *KEYS.values()]


@transaction.atomic(savepoint=False)
def find_or_create_leads(profiles: Mapping[str, Profile], *, now: datetime) -> dict[str, Lead]:
    """Return the one lead for each external id, made now if there was none, and lock it.

    That of one that has been merged is its survivor. What the profile tells fills what is still
    empty; it overwrites nothing. Of two that make the same lead at once, the second waits for the
    first and finds its row. Raises StaleError where a lead has just been merged or erased, and
    LeadIsErased for the id of one that was erased before.
    """
    pattern = Lead(created_at=now)
    there = _there_already(profiles) if len(profiles) > 1 else set()
    new = [_new_like(pattern, *each) for each in profiles.items() if each[0] not in there]
    aliases = make_aliases(new) if settings.MATCH_LEADS else set()
    # In one order, so that two that make the same leads do not wait for each other.
    made = make_missing(sorted(new, key=attrgetter("external_id")))
    known = {each: None for each in profiles if each not in made}
    leads = _lock_survivors(known.keys()) if known else {}
    if any(leads[each].erased_at for each in aliases):
        raise StaleError
    if any(lead.erased_at for lead in leads.values()):
        raise LeadIsErased
    lacking = {
        lead.pk: lead
        for external_id, lead in leads.items()
        if _fill_empty(lead, profiles[external_id])
    }
    if lacking:
        Lead.objects.bulk_update(map(_with_keys, lacking.values()), WRITTEN)
    return leads | made


def _there_already(external_ids: Collection[str]) -> set[str]:
    """So that what tells who somebody is need not be made out for those we know."""
    known = Lead.objects.filter(Among("external_id", external_ids))
    return set(known.order_by().values_list("external_id", flat=True))


def is_known_otherwise(external_id: str, profile: Profile) -> bool:
    """Is the id new, but perhaps that of somebody we know by what else leads are matched by?"""
    return bool(settings.MATCH_LEADS) and may_be_known(
        new_lead(external_id, profile, now=timezone.now())
    )


def new_lead(external_id: str, profile: Profile, *, now: datetime) -> Lead:
    """One that is not in the database yet."""
    return _new_like(Lead(created_at=now), external_id, profile)


def _new_like(pattern: Lead, external_id: str, profile: Profile) -> Lead:
    texts = {"name": profile.name, "phone": profile.phone, "email": profile.email}
    return _with_keys(new_like(pattern, external_id=external_id, **texts))


# What is known stays, and what is missing is filled. An update locks the row, as it must be.
_FILLED = ", ".join(
    f"{column} = CASE WHEN leads_lead.{known} = '' THEN excluded.{column}"
    f" ELSE leads_lead.{column} END"
    for known in KEPT
    for column in ([known, KEYS[known]] if known in KEYS else [known])
)
_COLUMNS = [each.attname for each in Lead._meta.concrete_fields]
_FIND_OR_CREATE = (
    f"INSERT INTO leads_lead (external_id, {', '.join(WRITTEN)}, created_at)"  # noqa: S608  # nosec B608  # names of our own
    f" VALUES ({', '.join(['%s'] * (len(WRITTEN) + 2))})"
    f" ON CONFLICT (external_id) DO UPDATE SET {_FILLED} RETURNING {', '.join(_COLUMNS)}"
)


def find_or_create_lead(external_id: str, profile: Profile, *, now: datetime) -> Lead:
    """The same for one, in one statement; must be in a transaction.

    Raises StaleError where it has been merged or erased, which is for `find_or_create_leads`, and
    then nothing of what is done in the transaction may be kept.
    """
    new = new_lead(external_id, profile, now=now)
    values = [external_id, *(getattr(new, name) for name in WRITTEN)]
    moment = connection.ops.adapt_datetimefield_value(now)
    (row,) = run(_FIND_OR_CREATE, [*values, moment])
    lead = read(Lead, row)
    if lead.merged_into_id or lead.erased_at:
        raise StaleError
    return lead


def _lock_survivors(external_ids: KeysView[str]) -> dict[str, Lead]:
    """For each of the ids the lead that it stands for."""
    known = Lead.objects.filter(Among("external_id", external_ids))
    locked = _lock(Q(pk__in=survivors_of(known)))
    # What the statement knew from before it waited for a lock may no longer hold.
    if any(lead.merged_into_id for lead in locked.values()):
        raise StaleError
    found = {lead.external_id: lead for lead in locked.values()}
    if merged := external_ids - found.keys():
        rows = known.filter(external_id__in=merged).values_list("external_id", "merged_into")
        found |= {external_id: locked[survivor] for external_id, survivor in rows if survivor}
    if not found.keys() >= set(external_ids):
        raise StaleError
    return {external_id: found[external_id] for external_id in external_ids}


def _lock(which: Q) -> dict[int, Lead]:
    rows = Lead.objects.filter(which).order_by("pk").select_for_update(no_key=True)
    return {lead.pk: lead for lead in rows}


def _fill_empty(lead: Lead, profile: Profile) -> bool:
    """Put in what the lead lacks; was there anything?"""
    missing = [name for name in KEPT if getattr(profile, name) and not getattr(lead, name)]
    for name in missing:
        setattr(lead, name, getattr(profile, name))
    return bool(missing)


def _with_keys(lead: Lead) -> Lead:
    lead.phone_e164 = normalised_phone(lead.phone, region=settings.PHONE_REGION)
    lead.email_key = normalised_email(lead.email)
    return lead


def update_lead(
    lead: Lead,
    *,
    actor: Actor = SYSTEM,
    expected: Mapping[str, str] | None = None,
    **changes: str,
) -> Lead:
    """Change the given ones of name, phone and e-mail and nothing else.

    `expected` are values that the change rests on; raises Conflict where one is another now,
    LeadIsMerged and LeadIsErased.
    """
    if not changes:
        return lead
    with transaction.atomic():
        stored = Lead.objects.select_for_update(no_key=True).get(pk=lead.pk)
        return _update(stored, changes, expected or {}, actor)


def _update(
    stored: Lead, changes: Mapping[str, str], expected: Mapping[str, str], actor: Actor
) -> Lead:
    if stored.merged_into_id:
        raise LeadIsMerged
    if stored.erased_at:
        raise LeadIsErased
    if any(getattr(stored, name) != value for name, value in expected.items()):
        raise Conflict
    before = {name: getattr(stored, name) for name in changes}
    for name, value in changes.items():
        setattr(stored, name, value)
    names = [*changes, *(KEYS[name] for name in changes if name in KEYS)]
    _with_keys(stored).save(update_fields=names)
    note_changed(stored, before, actor=actor)
    return stored


def absorb_lead(survivor_id: int, merged_id: int) -> Lead:
    """Let one lead stand for another from now on; return the survivor, both locked.

    The other keeps its row; what the survivor lacks of name, phone and e-mail is taken from it,
    and what was merged into it goes along. Its contacts are `contacts.merging`'s, in the same
    transaction. Raises SameLead, LeadIsMerged, LeadIsErased, StaleError, Lead.DoesNotExist.
    """
    if survivor_id == merged_id:
        raise SameLead
    pair = [survivor_id, merged_id]
    locked = _lock(Q(pk__in=pair) | Q(merged_into=merged_id))
    if not locked.keys() >= set(pair):
        raise Lead.DoesNotExist
    survivor, merged = locked[survivor_id], locked[merged_id]
    if survivor.merged_into_id or merged.merged_into_id:
        raise LeadIsMerged
    if survivor.erased_at or merged.erased_at:
        raise LeadIsErased
    followers = Lead.objects.filter(merged_into=merged)
    if not locked.keys() >= set(followers.values_list("pk", flat=True)):
        raise StaleError
    followers.update(merged_into=survivor)
    Lead.objects.filter(pk=merged.pk).update(merged_into=survivor)
    if _fill_empty(survivor, Profile(merged.name, merged.phone, merged.email)):
        _with_keys(survivor).save(update_fields=WRITTEN)
    return survivor


def lock_people(lead_ids: Collection[int]) -> list[Lead]:
    """Lock these leads with everything they are merged with: each person whole.

    Raises StaleError where one of them has just been merged.
    """
    chosen = Lead.objects.filter(pk__in=lead_ids)
    survivors = set(survivors_of(chosen))
    whole = Q(pk__in=survivors) | Q(merged_into__in=survivors)
    locked = _lock(whole)
    # What the statements knew from before the wait for a lock may no longer hold.
    now = Lead.objects.filter(whole).values_list("pk", flat=True)
    if set(survivors_of(chosen)) != survivors or set(now) != locked.keys():
        raise StaleError
    return list(locked.values())


def erase_profiles(leads: Collection[Lead], *, now: datetime) -> None:
    """Leave nothing of these, locked by `lock_people`, that tells who they were.

    What else is kept of them is `contacts.erasing`'s, in the same transaction.
    """
    for lead in leads:
        lead.external_id, lead.erased_at = erased_id(), now
        lead.name = lead.phone = lead.email = ""
        _with_keys(lead)
    rows = Lead.objects.filter(pk__in=[lead.pk for lead in leads])
    rows.update(**dict.fromkeys(WRITTEN, ""), erased_at=now)
    # What differs from one to the other, alone: it costs more than all the rest.
    Lead.objects.bulk_update(leads, ["external_id"])
