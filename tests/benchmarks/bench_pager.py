"""What it costs to walk 100,000 rows: memory held, and time beside reading the same pages.

python -m tests.benchmarks.bench_pager [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import tracemalloc
from functools import partial

from finetune_client.models import FineTuningJob, Page
from finetune_client.resources import Pager
from tests.benchmarks.comparing import (
    Comparison,
    Rounds,
    alternate,
    print_ratios,
    timed,
    work,
)

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 5
ROWS, SIZE = 100_000, 100
COMPARISONS = (
    Comparison(
        what="walk a list of 100,000 jobs, row by row",
        against="reading the same pages",
        ours="walk",
        theirs="pages alone",
        most=1.3,
    ),
)


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


def rows_walked() -> int:
    """Go through all rows."""
    return sum(1 for _ in Pager(fetch, name="GET /jobs"))


def measured(rounds: int = ROUNDS) -> Rounds:
    """Walk the list, and read its pages, in turn; it is processor time."""
    calls = {"walk": rows_walked, "pages alone": pages_alone}
    things = {name: partial(timed, call, clock=work) for name, call in calls.items()}
    return alternate(things, rounds)


def main() -> None:
    """Print the figures."""
    import resource  # Windows has none, and needs none for `measured`

    parser = argparse.ArgumentParser(description="Measure walking a list.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, _ in enumerate(Pager(fetch, name="GET /jobs")):
        if number == ROWS // 100:
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"peak RSS: {early - before} KiB more after 1,000 rows, {late - early} KiB more after all"
    )
    print_ratios(COMPARISONS, measured(rounds))
    tracemalloc.start()
    for number, _ in enumerate(Pager(fetch, name="GET /jobs")):
        if number == ROWS - 1:
            held = tracemalloc.get_traced_memory()[0]
    print(f"held at the last of {ROWS} rows: {held / ROWS:.1f} bytes a row")


if __name__ == "__main__":
    main()
