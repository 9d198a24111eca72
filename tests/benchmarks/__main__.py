"""Everything that is compared, measured in one run and printed as one table of ratios.

    python -m tests.benchmarks [PART ...] [--rounds N] [--markdown] [--check]
        [--model DIR] [--model-python PYTHON]

The parts are the keys of `PARTS`; without one, all are measured. What is not installed, such as the
official SDK (``pip install openai httpx``), is left out with a line that says so. A ratio is ours
divided by theirs, so less than 1 is less time, or less memory.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks import (
    bench_check,
    bench_files,
    bench_import,
    bench_llm,
    bench_local_server,
    bench_models,
    bench_pager,
    bench_transport,
)
from tests.benchmarks.comparing import machine, markdown, missing, ratios, text, versions

if TYPE_CHECKING:
    from tests.benchmarks.comparing import Ratio, Rounds

PARTS: dict[str, Any] = {
    "import": bench_import,
    "read": bench_models,
    "call": bench_transport,
    "walk": bench_pager,
    "file": bench_files,
    "check": bench_check,
    "server": bench_local_server,
    "train": bench_llm,
}


def measured(part: str, options: argparse.Namespace) -> Rounds:
    """Measure one part."""
    rounds = {"rounds": options.rounds} if options.rounds else {}
    if part != "train":
        taken: Rounds = PARTS[part].measured(**rounds)
        return taken
    if not options.model or "torch" not in versions(options.model_python):
        return {}
    return bench_llm.measured(**rounds, model=options.model, python=options.model_python)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure this package against what it is compared with, and print the ratios.",
    )
    names = ", ".join(PARTS)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {names}")
    parser.add_argument("--rounds", type=int, help="rounds of each part, instead of its own number")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit does not hold")
    parser.add_argument("--model", type=Path, help="a model's directory, to measure training")
    parser.add_argument(
        "--model-python", default=sys.executable, help="the interpreter that has torch"
    )
    options = parser.parse_args()
    options.parts = options.parts or list(PARTS)
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; the parts are {names}")
    found: list[Ratio] = []
    left_out: list[str] = []
    for part in options.parts:
        print(f"measuring: {part}", file=sys.stderr, flush=True)
        rounds = measured(part, options)
        found += ratios(PARTS[part].COMPARISONS, rounds)
        left_out += missing(PARTS[part].COMPARISONS, rounds)
    head = [*machine()]
    if options.model and options.model_python != sys.executable:
        head.append(f"the trainer: {versions(options.model_python)}")
    if options.markdown:
        print("\n".join(f"- {line}" for line in head))
        print(f"\n{markdown(found)}")
        print("".join(f"\n{line}\n" for line in left_out), end="")
    else:
        print("\n".join([*head, "", text(found), *left_out]))
    return int(options.check and not all(one.holds for one in found))


if __name__ == "__main__":
    sys.exit(main())
