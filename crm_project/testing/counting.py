"""Counts in a process of its own.

`python -m crm_project.testing.counting FILE THREADS TIMES LIMIT` prints how many passed, and the
median, the 99th percentile and the longest of what one took, in microseconds. Several of them at
once show what sharing costs.
"""

import sys
import time
from pathlib import Path

from crm_project.counters import Counters, Limit
from crm_project.testing.threads import at_once


def main(file: str, threads: int, times: int, limit: int) -> None:
    counters = Counters(Path(file), "secret")

    def count() -> tuple[bool, float]:
        start = time.perf_counter()
        standings = counters.count({"name": Limit(limit, 600)})
        took = time.perf_counter() - start
        assert standings is not None
        return not standings["name"].wait, took * 1e6

    results, errors = at_once([count] * threads * times, threads)
    if errors:
        raise errors[0]
    spent = sorted(took for _, took in results)
    shown = [spent[len(spent) * part // 1000] for part in (500, 990)] + [spent[-1]]
    print(sum(ok for ok, _ in results), *(round(each) for each in shown))


if __name__ == "__main__":
    main(sys.argv[1], *(int(each) for each in sys.argv[2:]))
