"""What people are told of an import: what it would do, and what it did."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from django.utils.translation import gettext as _

from contacts.import_rows import Fault
from contacts.import_runs import ROWS_IN_PART, faults_of
from contacts.models import ImportRun
from contacts.selectors import with_load
from operators.models import Operator
from sources.models import Assignment, Source


class Outlook(NamedTuple):
    """A source in a file; `free` are the places that its operators have at this moment."""

    source: str
    rows: int
    free: int
    waiting: int


def distribution_hint(run: ImportRun) -> list[Outlook]:
    """For each source what would become of its rows; by name. A place that an operator has in
    several sources counts in each.
    """
    counts = {int(pk): count for pk, count in run.rows_by_source.items()}
    places = {
        pk: max(limit - load, 0)
        for pk, limit, load in with_load(Operator.objects.filter(is_active=True)).values_list(
            "pk", "max_active_contacts", "current_load"
        )
    }
    free = dict.fromkeys(counts, 0)
    serving = Assignment.objects.filter(source__in=counts, operator__in=places)
    for source_id, operator_id in serving.values_list("source", "operator"):
        free[source_id] += places[operator_id]
    return [
        Outlook(each.name, counts[each.pk], free[each.pk], max(counts[each.pk] - free[each.pk], 0))
        for each in Source.objects.filter(pk__in=counts).order_by("name", "pk")
    ]


def outcome_rows(run: ImportRun) -> list[tuple[str, int]]:
    """What became of the rows so far, in words, with counts."""
    words = {
        "assigned": _("Contacts given to operators"),
        "waiting": _("Contacts that wait in the queue"),
        "new": _("New leads"),
        "filled": _("Leads that were completed"),
        "unchanged": _("Leads known already"),
    }
    return [(text, run.outcomes[name]) for name, text in words.items() if name in run.outcomes]


def first_faults(run: ImportRun, count: int) -> list[Fault]:
    return list(islice(faults_of(run), count)) if run.faulty_rows else []


def faults_as_pages(run: ImportRun) -> Iterator[list[Fault]]:
    """All of them, some at a time, for a file."""
    faults = faults_of(run)
    while page := list(islice(faults, ROWS_IN_PART)):
        yield page
