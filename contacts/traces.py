"""Where else a person's data lie: answers kept under a key, files not yet imported, Django's own
log. Nobody's but the persons' own are touched.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, Max, Min, Q, QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext
from rest_framework.renderers import JSONRenderer

from contacts.models import Contact, IdempotencyKey, ImportPart, ImportRun
from crm_project.errors import StaleError
from leads.models import Lead

# The row of a key is a little older than the contacts made under it; clocks are set now and then.
APART = timedelta(hours=1)
MARKS_AT_ONCE = 100


def blank_answers(
    leads: Sequence[Lead], contacts: QuerySet[Contact], *, former: Collection[str]
) -> None:
    """Leave nothing of these leads in the answers that told of their contacts.

    They are given again as ever, so that nothing is created twice. Only where the key itself has
    one of the `former` texts, it is forgotten with its answer. Raises StaleError where somebody
    holds one of the keys.
    """
    known = {lead.pk: lead for lead in leads}
    rows = IdempotencyKey.objects.filter(pk__in=list(_answers_about(known, contacts)))
    held = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)
    ids = list(held.order_by("pk"))
    if len(ids) < rows.count():
        raise StaleError
    for pk in ids:
        row = IdempotencyKey.objects.get(pk=pk)
        if _tells(row.key, former):
            row.delete()
        else:
            row.body = _blanked(row.body, known)
            row.save(update_fields=["body"])


def _answers_about(lead_ids: Collection[int], contacts: QuerySet[Contact]) -> Iterator[int]:
    """The ids of the keys; those kept since the first of the contacts are read, by their index."""
    made = contacts.aggregate(first=Min("created_at"), last=Max("created_at"))
    if made["first"] is None:
        return
    rows = IdempotencyKey.objects.filter(
        created_at__gte=made["first"] - APART, created_at__lte=made["last"] + APART
    )
    # To ask for many marks takes time even where there is nothing to be asked.
    if not rows.exists():
        return
    # As DRF writes it; within a text its quotes would be escaped.
    marks = [f'"lead_id":{pk},' for pk in lead_ids]
    for start in range(0, len(marks), MARKS_AT_ONCE):
        found = Q()
        for mark in marks[start : start + MARKS_AT_ONCE]:
            found |= Q(GreaterThan(StrIndex("body", Value(mark)), 0))
        yield from rows.filter(found).order_by().values_list("pk", flat=True)


def _tells(key: str, former: Collection[str]) -> bool:
    """Does it hold one of the texts, not as a part of a longer word or number?"""
    return any(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", key) for text in former)


def _blanked(body: str, known: Mapping[int, Lead]) -> str:
    answer = json.loads(body)
    for contact in _contacts_in(answer):
        if lead := known.get(contact["lead_id"]):
            contact["message"] = ""
            contact["lead"] |= {"external_id": lead.external_id}
            contact["lead"] |= {"name": "", "phone": "", "email": ""}
    return str(JSONRenderer().render(answer), "utf-8")


def _contacts_in(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Of one contact it is the answer itself, of many there are results."""
    if "results" not in answer:
        return [answer]
    return [each["contact"] for each in answer["results"] if "contact" in each]


def lock_unfinished_imports() -> list[int]:
    """Lock those with rows to be imported yet, so that none is imported meanwhile; their ids."""
    runs = ImportRun.objects.filter(finished_at=None).order_by("pk")
    return list(runs.select_for_update(no_key=True).values_list("pk", flat=True))


def refuse_rows(imports: Collection[int], external_ids: Collection[str]) -> None:
    """Take the rows of these leads out of the files, locked, and say so in their place."""
    text = gettext("The personal data of this lead have been erased since the file was read.")
    parts = ImportPart.objects.filter(run__in=imports).exclude(items="[]").order_by("pk")
    last = 0
    while part := parts.filter(pk__gt=last).first():
        last = part.pk
        items, faults = json.loads(part.items), json.loads(part.faults)
        kept = [item for item in items if not _is_of(item[1], external_ids)]
        refused = [[item[0], "", text] for item in items if _is_of(item[1], external_ids)]
        if refused:
            part.items, part.faults = json.dumps(kept), json.dumps(sorted([*faults, *refused]))
            part.save(update_fields=["items", "faults"])
            run = ImportRun.objects.filter(pk=part.run_id)
            run.update(faulty_rows=F("faulty_rows") + len(refused))


def _is_of(fields: Mapping[str, str], external_ids: Collection[str]) -> bool:
    return any(fields.get(name) in external_ids for name in ("lead_external_id", "external_id"))


def blank_log(leads: Sequence[Lead]) -> None:
    """Django keeps with each change in the admin what the object was called."""
    kind = ContentType.objects.get_for_model(Lead)
    entries = LogEntry.objects.filter(
        content_type=kind, object_id__in=[str(lead.pk) for lead in leads]
    )
    entries.update(object_repr=gettext("erased lead"))
