"""Reads of leads that several modules share."""

from collections.abc import Iterable

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from leads.identity import normalised_email, normalised_phone
from leads.models import Lead


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
        found |= Q(phone_e164=phone)
    if email := normalised_email(term):
        found |= Q(email_key=email)
    return Lead.objects.filter(found)


def possible_duplicates(lead: Lead, *, most: int) -> list[Lead]:
    """Leads with a phone number or an e-mail address of this one's, newest first, at most so many.

    What was merged into either of them counts as theirs.
    """
    family = list(Lead.objects.filter(Q(pk=lead.pk) | Q(merged_into=lead.pk)).order_by("pk"))
    found = {
        *_same("phone_e164", {each.phone_e164 for each in family}, lead, most),
        *_same("email_key", {each.email_key for each in family}, lead, most),
    }
    return list(Lead.objects.filter(pk__in=found).order_by("-pk")[:most])


def _same(field: str, values: set[str], lead: Lead, most: int) -> Iterable[int]:
    """Ids of others that have one of the values, each query a short piece of one index."""
    if not (known := values - {""}):
        return []
    others = Lead.objects.filter(**{f"{field}__in": known})
    others = others.exclude(Q(pk=lead.pk) | Q(merged_into=lead.pk)).order_by("-pk")
    return survivors_of(others)[:most]
