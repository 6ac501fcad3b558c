"""What processes of this machine have cost so far, where it has /proc."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.db import connection

PROC = Path("/proc")


class Stat(NamedTuple):
    """Of one process; `ended` is what its children that have ended took."""

    name: str
    parent: int
    seconds: float
    ended: float


def cpu_seconds(root: int | None) -> float | None:
    """Processor seconds, by all threads, of a process and all that it started, now and before.

    None: there is no such process, or no /proc. To a hundredth.
    """
    stats = _all()
    if root is None or root not in stats:
        return None
    return stats[root].ended + sum(stats[pid].seconds for pid in _family(root, stats))


def memory_megabytes(root: int) -> dict[int, float]:
    """What each process that this one started holds in memory, by its number."""
    found = {pid: _resident(pid) for pid in sorted(_family(root, _all())) if pid != root}
    return {pid: held for pid, held in found.items() if held is not None}


def database_server() -> int | None:
    """The first process of the PostgreSQL that we are connected to; None: it is not on this
    machine, or there is none. It works for everybody who uses it.
    """
    if connection.vendor != "postgresql":
        return None
    host = connection.settings_dict["HOST"] or "localhost"
    if host not in ("localhost", "127.0.0.1", "::1") and not host.startswith("/"):
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stats, pid = _all(), cursor.fetchone()[0]
    # In a container of its own it has another number here, which may be anybody's.
    ours = pid in stats and stats[pid].name.startswith("postgres")
    return stats[pid].parent if ours else None


def _all() -> dict[int, Stat]:
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            head, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
            fields = rest.split()
            user, system, user_ended, system_ended = (int(each) / ticks for each in fields[11:15])
            name = head.partition("(")[2]
            stat = Stat(name, int(fields[1]), user + system, user_ended + system_ended)
            found[int(folder.name)] = stat
    return found


def _family(root: int, stats: dict[int, Stat]) -> set[int]:
    """That process and all that descend from it."""
    family, more = {root}, {root}
    while more:
        more = {pid for pid, stat in stats.items() if stat.parent in more} - family
        family |= more
    return family


def _resident(pid: int) -> float | None:
    try:
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
