"""What importing the package and making a client cost.

    python -m tests.benchmarks.bench_import [--root DIR] [--rounds N]

Imports run in an interpreter of their own, constructions in one that has everything loaded. Both
are processor time. With ``--root`` another checkout of the project is imported.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.comparing import (
    ROOT,
    Comparison,
    Rounds,
    alternate,
    in_child,
    is_installed,
    print_ratios,
    timed,
    work,
)
from tests.benchmarks.house import USE, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 11
TIMES = 10
"""Constructions in a round."""

_STATEMENTS = {
    "": {
        "client": "from finetune_client import Client; Client(api_key='x')",
        "client.jobs": USE,
        "import requests": "import requests",
    },
    "httpx": {"httpx client": "import httpx; httpx.Client()"},
    "openai": {
        "SDK client": "from openai import OpenAI; OpenAI(api_key='x')",
        "SDK jobs": "from openai import OpenAI; OpenAI(api_key='x').fine_tuning.jobs",
    },
}
"""Package that must be installed -> name -> statement."""

_WHAT, _JOBS, _ANOTHER = (
    "import and construct a `Client`",
    "the same, and reach `client.jobs`",
    "construct another `Client`",
)
COMPARISONS = (
    Comparison(
        what=_WHAT, against="`import requests`", ours="client", theirs="import requests", most=1.3
    ),
    Comparison(
        what=_WHAT,
        against="`import httpx; httpx.Client()`",
        ours="client",
        theirs="httpx client",
        needs="httpx",
    ),
    Comparison(
        what=_WHAT,
        against="the official SDK",
        ours="client",
        theirs="SDK client",
        most=1.0,
        needs="openai",
    ),
    Comparison(
        what=_JOBS,
        against="the official SDK's `client.fine_tuning.jobs`",
        ours="client.jobs",
        theirs="SDK jobs",
        most=1.0,
        needs="openai",
    ),
    Comparison(
        what=_ANOTHER,
        against="`requests.Session()`",
        ours="another",
        theirs="another Session",
    ),
    Comparison(
        what=_ANOTHER,
        against="`httpx.Client()`",
        ours="another",
        theirs="another httpx",
        needs="httpx",
    ),
    Comparison(
        what=_ANOTHER,
        against="the official SDK",
        ours="another",
        theirs="another SDK",
        most=1.0,
        needs="openai",
    ),
)


def measured(rounds: int = ROUNDS, root: Path = ROOT) -> Rounds:
    """Import everything in turn, and construct clients."""
    things = {
        name: partial(seconds, root, statement)
        for package, statements in _STATEMENTS.items()
        if not package or is_installed(package)
        for name, statement in statements.items()
    }
    for thing in things.values():
        thing()  # compiles what is not compiled yet
    constructed = in_child("bench_import", "--construct", "--rounds", str(rounds))
    return {**alternate(things, rounds), **constructed}


def _constructed(rounds: int) -> Rounds:
    import requests

    from finetune_client import Client

    makers: dict[str, Callable[[], object]] = {
        "another": lambda: Client(api_key="x"),
        "another Session": requests.Session,
    }
    if is_installed("httpx"):
        import httpx

        makers["another httpx"] = httpx.Client
    if is_installed("openai"):
        from openai import OpenAI

        makers["another SDK"] = lambda: OpenAI(api_key="x")
    for make in makers.values():
        make()
    return alternate(
        {name: partial(timed, make, TIMES, clock=work) for name, make in makers.items()}, rounds
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure imports and constructions.")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout to measure")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--construct", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.construct:
        print(json.dumps(_constructed(options.rounds)))
        return
    print_ratios(COMPARISONS, measured(options.rounds, options.root.resolve()))


if __name__ == "__main__":
    main()
