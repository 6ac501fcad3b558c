"""What people are told of an import: what it would do, and what it did."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from django.utils.translation import gettext as _

from contacts.import_rows import Fault
from contacts.import_runs import ROWS_IN_PART, faults_of
from contacts.models import ImportRun
from contacts.selectors import as_candidate, assignments_with_load
from sources.models import Source


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
    free = dict.fromkeys(counts, 0)
    for assignment in assignments_with_load(list(counts)):
        candidate = as_candidate(assignment)
        if candidate.is_active:
            free[assignment.source_id] += max(candidate.limit - candidate.load, 0)
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
