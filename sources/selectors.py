"""Reads of sources that several modules share."""

from crm_project.statements import Query
from sources.models import Source

_by_code = Query(lambda code: Source.objects.filter(code=code), "?")
_by_id = Query(lambda pk: Source.objects.filter(pk=pk), -1)


def find_source(*, code: str | None = None, pk: int | None = None) -> Source | None:
    """The source of this code, else of this id."""
    found = _by_id.objects(pk) if code is None else _by_code.objects(code)
    return found[0] if found else None
