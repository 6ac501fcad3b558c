"""Whom a new external id stands for, where leads are known by phone or e-mail as well
(`MATCH_LEADS`): it is kept as one that was merged into that lead, so that it is known from then on.

Nobody is locked here: whoever writes for the lead locks it next, and then looks whether it is still
there. Of two with the same number and different ids at the same moment each may become a lead.
"""

from collections.abc import Collection, Sequence

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Coalesce

from leads.copying import make_missing
from leads.models import Lead

FIELDS = {"phone": "phone_e164", "email": "email_key"}
# Who has so many ids for each number is no person.
MOST = 100
# Two who are nobody.
TOO_MANY: frozenset[int | str] = frozenset({0, -1})

SURVIVOR = Coalesce("merged_into", "pk")

Key = tuple[str, str]


def make_aliases(leads: Sequence[Lead]) -> set[str]:
    """Write those of the leads, which need not be new, whose ids are new but who are somebody known
    by what they tell, the earlier ones of them included; return their external ids.

    Where more than one is known by that, nothing is guessed.
    """
    new = _new(leads)
    known = _recognised(new, _holders(new))
    # Among themselves, the first has to be there before the others.
    firsts = {each for each in known.values() if isinstance(each, str)}
    make_missing(sorted((each for each in new if each.external_id in firsts), key=_external_id))
    rows = Lead.objects.filter(external_id__in=firsts) if firsts else Lead.objects.none()
    ids = dict(rows.values_list("external_id", SURVIVOR))
    aliases = [each for each in new if each.external_id in known]
    for each in aliases:
        survivor = known[each.external_id]
        each.merged_into_id = ids[survivor] if isinstance(survivor, str) else survivor
    Lead.objects.bulk_create(sorted(aliases, key=_external_id), ignore_conflicts=True)
    return set(known)


def may_be_known(lead: Lead) -> bool:
    """Is its id new, and somebody there whom it may stand for?"""
    return any(_holders(_new([lead])).values())


def _external_id(lead: Lead) -> str:
    return lead.external_id


def _keys(lead: Lead) -> list[Key]:
    names = [FIELDS[each] for each in settings.MATCH_LEADS]
    return [(name, key) for name in names if (key := getattr(lead, name))]


def _new(leads: Sequence[Lead]) -> list[Lead]:
    """Those who can be known by anything, and whose ids nobody has."""
    able = {each.external_id: each for each in leads if _keys(each)}
    if not able:
        return []
    rows = Lead.objects.filter(external_id__in=able).order_by()
    taken = set(rows.values_list("external_id", flat=True))
    return [each for external_id, each in able.items() if external_id not in taken]


def _holders(leads: Collection[Lead]) -> dict[Key, frozenset[int | str]]:
    """Who has each of the keys by now: the ids of those whom the leads that have it stand for."""
    holders: dict[Key, frozenset[int | str]] = {}
    for field in FIELDS.values():
        keys = {key for lead in leads for name, key in _keys(lead) if name == field}
        if not keys:
            continue
        # That it is not empty goes without saying, but not to SQLite, whose index is a partial one.
        found = Lead.objects.filter(Q(**{f"{field}__in": keys}) & ~Q(**{field: ""})).order_by()
        rows = list(found.values_list(field, SURVIVOR)[: MOST * len(keys) + 1])
        if len(rows) > MOST * len(keys):
            holders |= {(field, key): TOO_MANY for key in keys}
            continue
        holders |= {(field, key): frozenset() for key in keys}
        for key, survivor in rows:
            holders[field, key] |= {survivor}
    return holders


def _recognised(
    leads: Sequence[Lead], holders: dict[Key, frozenset[int | str]]
) -> dict[str, int | str]:
    """For the external ids of those who are somebody, who that is: the id of a lead or, where it is
    one of these, its external id.
    """
    known: dict[str, int | str] = {}
    for lead in leads:
        keys = _keys(lead)
        found = frozenset[int | str]().union(*(holders[key] for key in keys))
        if len(found) == 1:
            (known[lead.external_id],) = found
        for key in keys:
            holders[key] |= {known.get(lead.external_id, lead.external_id)}
    return known
