"""Intakes beside each other, in turns: what else the machine does befalls them alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from subprocess import PIPE  # nosec B404 - a constant
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from stats.benchmark.children import child
from stats.benchmark.report import Row, median_of
from stats.benchmark.service import ServiceError

# It has a service of its own to end, and a database to drop.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Variant:
    """So many sources, on a database of its own beside that one; None: beside the named one."""

    sources: int
    database_url: str | None

    @property
    def name(self) -> str:
        url = self.database_url
        engine = connection.vendor if url is None else urlsplit(url).scheme
        return f"{engine}, {self.sources} source{'s' if self.sources > 1 else ''}"


def variants(sources: Sequence[int], against: str | None) -> list[Variant]:
    """Each number of sources on each database, the first of them first."""
    urls = [None] if against is None else [None, against]
    return [Variant(number, url) for url in urls for number in sources]


def run(
    compared: Sequence[Variant], *, rounds: int, options: Mapping[str, Any]
) -> Iterator[tuple[Variant, dict[str, Any]]]:
    """What `benchmark intake` finds of each, in each round; options by their names."""
    arguments = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in options.items()
        if value is not None
    ]
    for _ in range(rounds):
        for variant in compared:
            yield variant, _intake(variant, arguments)


def medians(found: Sequence[tuple[Variant, dict[str, Any]]]) -> list[Row]:
    """One row of each, in the order in which they came."""
    rows: dict[str, list[Row]] = {}
    for variant, told in found:
        rows.setdefault(variant.name, []).append(Row(**told["rows"][-1]))
    return [median_of(name, some) for name, some in rows.items()]


def _intake(variant: Variant, arguments: Sequence[str]) -> dict[str, Any]:
    url = variant.database_url
    with child(
        ["manage.py", "benchmark", "intake", f"--sources={variant.sources}", *arguments, "--json"],
        environment={} if url is None else {"DATABASE_URL": url},
        patience=PATIENCE_SECONDS,
        stdout=PIPE,
        text=True,
    ) as process:
        out, _ = process.communicate()
    if process.returncode:
        # It has told why itself.
        raise ServiceError(f"The intake failed: {variant.name}.")
    found: dict[str, Any] = json.loads(out)
    return found
