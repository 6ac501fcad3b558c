"""Reads of leads that several modules share."""

from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from leads.identity import normalised_email, normalised_phone
from leads.models import Lead


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A lead that may be the same person as another one, and why."""

    lead: Lead
    same_phone: bool
    same_email: bool


def survivors_of(leads: QuerySet[Lead]) -> QuerySet[Lead, int]:
    """The ids of those whom these leads stand for by now: their survivors, or themselves."""
    return leads.values_list(Coalesce("merged_into", "pk"), flat=True)


def known_as(term: str) -> QuerySet[Lead]:
    """The leads, merged ones too, of exactly this external id, phone number or e-mail address,
    the latter two however they are written.

    By indexes alone.
    """
    found = Q(external_id=term)
    if phone := normalised_phone(term, region=settings.PHONE_REGION):
        found |= _one_of("phone_e164", {phone})
    if email := normalised_email(term):
        found |= _one_of("email_key", {email})
    return Lead.objects.filter(found)


def _one_of(field: str, keys: Collection[str]) -> Q:
    """That it is not empty goes without saying, but not to SQLite, whose index is a partial one."""
    return Q(**{f"{field}__in": keys}) & ~Q(**{field: ""})


def possible_duplicates(lead: Lead, *, most: int) -> list[Duplicate]:
    """Those with a phone number or an e-mail address of this lead's, newest first, at most so many.

    What was merged into either of them counts as theirs.
    """
    family = Lead.objects.filter(Q(pk=lead.pk) | Q(merged_into=lead.pk))
    keys = family.order_by("pk").values_list("phone_e164", "email_key")
    by_phone = _same(lead, most, "phone_e164", {phone for phone, _ in keys if phone})
    by_email = _same(lead, most, "email_key", {email for _, email in keys if email})
    found = Lead.objects.filter(pk__in=by_phone | by_email).order_by("-pk")[:most]
    return [Duplicate(each, each.pk in by_phone, each.pk in by_email) for each in found]


def _same(lead: Lead, most: int, field: str, keys: Collection[str]) -> set[int]:
    """The ids of the newest others that have one of the keys: a short piece of one index."""
    if not keys:
        return set()
    others = Lead.objects.filter(_one_of(field, keys)).exclude(
        Q(pk=lead.pk) | Q(merged_into=lead.pk)
    )
    return set(survivors_of(others.order_by("-pk"))[:most])
