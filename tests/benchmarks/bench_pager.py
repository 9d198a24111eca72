"""What it costs to walk 100,000 rows: memory held, and time beside reading the same pages.

python tests/benchmarks/bench_pager.py
"""

from __future__ import annotations

import json
import resource
import time
import tracemalloc
from typing import TYPE_CHECKING

from finetune_client.models import FineTuningJob, Page
from finetune_client.resources import Pager

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, SIZE = 100_000, 100


def fetch(after: str | None) -> Page[FineTuningJob]:
    """Answer with the rows after a cursor."""
    begin = 0 if after is None else int(after.removeprefix("ftjob-")) + 1
    rows = [
        {"id": f"ftjob-{number:024}", "status": "succeeded", "model": "gpt-4o-mini-2024-07-18"}
        for number in range(begin, begin + SIZE)
    ]
    body = json.dumps({"object": "list", "data": rows, "has_more": begin + SIZE < ROWS})
    return Page.from_dict(json.loads(body), FineTuningJob)


def pages_alone() -> int:
    """Fetch the same pages without a pager."""
    cursor, rows = None, 0
    while True:
        page = fetch(cursor)
        rows += len(page.data)
        if not page.has_more:
            return rows
        cursor = page.data[-1].id


def seconds(walk: Callable[[], object]) -> float:
    """Time one run of a callable."""
    begin = time.perf_counter()
    walk()
    return time.perf_counter() - begin


def main() -> None:
    """Print the figures."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, _ in enumerate(Pager(fetch, name="GET /jobs")):
        if number == ROWS // 100:
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"peak RSS: {early - before} KiB more after 1,000 rows, {late - early} KiB more after all"
    )
    runs = [
        (seconds(lambda: sum(1 for _ in Pager(fetch, name="GET /jobs"))), seconds(pages_alone))
        for _ in range(3)
    ]
    walked, alone = min(run[0] for run in runs), min(run[1] for run in runs)
    print(f"walking costs {walked / alone:.2f} times fetching the same pages")
    tracemalloc.start()
    for number, _ in enumerate(Pager(fetch, name="GET /jobs")):
        if number == ROWS - 1:
            held = tracemalloc.get_traced_memory()[0]
    print(f"held at the last of {ROWS} rows: {held / ROWS:.1f} bytes a row")


if __name__ == "__main__":
    main()
