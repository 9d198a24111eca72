"""Change modules in small ways and see whether the tests that belong to them notice::

    python -m tests.mutation.run [--sample 20] [--seed 1] [--jobs 2] [MODULE ...]

A module is a path in `finetune_client`, of those in `tests.mutation.targets`; without any, all of
them are changed. ``--sample`` is how many changes of each module are tried; without it, all. The same
sample and seed try the same changes. The tree itself is never changed: the tests run in a copy.

It prints what no test noticed, and ends with 1 if there was any such change. One that makes no
difference to anybody belongs into ``equivalent.json``, with the reason, and is then passed over.
Modules whose tests need packages that this Python lacks are passed over, too, and it says so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant, find_mutants, sample
from tests.mutation.targets import TARGETS

__all__ = ["EQUIVALENT", "Outcome", "equivalents", "main", "try_mutants"]

ROOT = Path(__file__).parents[2]
PACKAGE = "finetune_client"
EQUIVALENT = Path(__file__).with_name("equivalent.json")


@dataclass(kw_only=True)
class Outcome:
    """What became of the changes of one module.

    Attributes:
        module: Path in the tree.
        killed: How many the tests noticed.
        by_time: How many of these by running for too long.
        survived: Those that no test noticed.
        seconds: Processor time.
        problem: Why none were tried.
    """

    module: str
    killed: int = 0
    by_time: int = 0
    survived: list[Mutant] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


def equivalents(module: str) -> dict[tuple[str, str, str], str]:
    """Return the changes of a module that make no difference -> why, by `Mutant.identity`."""
    known = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return {(one["where"], one["code"], one["change"]): one["why"] for one in known.get(module, [])}


def try_mutants(
    root: Path,
    module: str,
    tests: tuple[str, ...],
    mutants: list[Mutant],
    on_survivor: Callable[[Mutant], object],
) -> Outcome:
    """Try changes of a module in a copy of a tree.

    Args:
        root: The tree: ``pyproject.toml``, ``tests`` and the folder that the module is in.
        module: Path of the module in the tree.
        tests: What pytest is given.
        mutants: The changes.
        on_survivor: Called with each change that no test notices.
    """
    outcome = Outcome(module=module)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        for name in ("pyproject.toml", "tests", module.partition("/")[0]):
            if (root / name).is_dir():
                shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__py*__"))
            elif (root / name).exists():
                copy.mkdir(exist_ok=True)
                shutil.copy(root / name, copy / name)
        answers = _answers(copy, {"module": module, "tests": tests, "mutants": _plain(mutants)})
        verdict, outcome.seconds, passed, output = next(answers, ("ended", 0.0, 0, ""))
        if not passed:
            said = "no test ran" if verdict == "passed" else f"the tests do not pass:\n{output}"
            outcome.problem = f"{module}: {said}"
            return outcome
        for mutant, (verdict, seconds) in zip(mutants, answers, strict=False):
            outcome.seconds += seconds
            if verdict == "passed":
                outcome.survived.append(mutant)
                on_survivor(mutant)
            else:
                outcome.killed += 1
                outcome.by_time += verdict == "time"
    if (tried := outcome.killed + len(outcome.survived)) < len(mutants):
        outcome.problem = f"{module}: ended after {tried} of {len(mutants)} changes"
    return outcome


def _plain(mutants: list[Mutant]) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.text) for one in mutants]


def _answers(copy: Path, order: dict[str, Any]) -> Iterator[Any]:
    """Yield what the worker tells."""
    settings = {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",  # a changed source may have the same time and size
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",  # what has threads should not be forked
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("worker.py"))],
        cwd=copy,
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(order))
        worker.stdin.close()
        try:
            yield from map(json.loads, worker.stdout)
        finally:
            worker.kill()


def _chosen(module: str, count: int | None, seed: int) -> list[Mutant]:
    """Return the changes to try; those that make no difference do not count."""
    known = equivalents(module)
    every = find_mutants((ROOT / PACKAGE / module).read_bytes())
    every = [one for one in every if one.identity not in known]
    return every if count is None else sample(every, count, seed)


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", metavar="MODULE", nargs="*")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    if unknown := set(chosen.modules) - set(TARGETS):
        parser.error(f"no tests are known of {', '.join(sorted(unknown))}")

    def try_one(module: str) -> Outcome:
        def tell(mutant: Mutant) -> None:
            where = f" ({mutant.where})" if mutant.where else ""
            place = f"{PACKAGE}/{module}:{mutant.line}{where}"
            print(f"{place}: {mutant.change}\n    {mutant.code}", flush=True)

        mutants = _chosen(module, chosen.sample, chosen.seed)
        return try_mutants(ROOT, f"{PACKAGE}/{module}", TARGETS[module], mutants, tell)

    survived = problems = 0
    with ThreadPoolExecutor(chosen.jobs) as threads:
        for outcome in threads.map(try_one, chosen.modules or TARGETS):
            summary = f"{outcome.killed} noticed ({outcome.by_time} by the time they took), "
            summary += f"{len(outcome.survived)} not; {outcome.seconds:.0f} s"
            print(outcome.problem or f"{outcome.module}: {summary}", flush=True)
            survived += len(outcome.survived)
            problems += bool(outcome.problem)
    return 1 if survived or problems else 0


if __name__ == "__main__":
    sys.exit(main())
