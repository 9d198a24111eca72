"""What the benchmarks share: things measured in turn, and their ratios with the limits named for them.

A benchmark measures several things once in each round, and gives `Rounds`: for each thing what it
took in each round. A `Comparison` names two of them. Its ratio is the median, over the rounds, of
the one divided by the other in the same round, so that what slows a machine for a while slows
both. The spread is that of the middle half of the rounds.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "ROOT",
    "Comparison",
    "Ratio",
    "Rounds",
    "alternate",
    "in_child",
    "is_installed",
    "machine",
    "markdown",
    "missing",
    "print_ratios",
    "ratios",
    "text",
    "timed",
    "versions",
    "work",
]

ROOT = Path(__file__).parents[2]

Rounds = dict[str, list[float]]
"""Thing -> what it took in each round: seconds, or bytes of memory."""

PACKAGES = (
    *("requests", "urllib3", "httpx", "openai", "httpx2", "pydantic", "msgspec"),
    *("flask", "torch", "transformers", "peft"),
)
"""What the things compared are made of; the versions of those that are installed are printed."""

# Processor time has steps of 16 ms on Windows, longer than much of what is measured.
work = time.perf_counter if sys.platform == "win32" else time.process_time
"""The clock for what one process does by itself: its processor time, which other programs blur least."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table.

    Attributes:
        what: What is done with this package.
        against: What it is held against.
        ours, theirs: The names of both in `Rounds`.
        most: The limit of the ratio, if one is named.
        needs: What must be installed for it, beside what the tests need anyway.
    """

    what: str
    against: str
    ours: str
    theirs: str
    most: float | None = None
    needs: str = ""


@dataclass(frozen=True)
class Ratio:
    """What a comparison came to: ours divided by theirs, so less than 1 is less time or memory."""

    comparison: Comparison
    median: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the ratio, as it is printed, is within its limit."""
        most = self.comparison.most
        return most is None or round(self.median, 2) <= most

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The line's words."""
        most = self.comparison.most
        return (
            self.comparison.what,
            self.comparison.against,
            f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})",
            "none" if most is None else f"{most:.2f}",
            "" if most is None else "yes" if self.holds else "no",
        )


HEAD = ("what", "against", "ratio", "limit", "holds")


def alternate(things: Mapping[str, Callable[[], float]], rounds: int) -> Rounds:
    """Measure things in turn, each once in a round; every other round goes backwards.

    Args:
        things: Name -> a function that does it and returns what it took.
        rounds: How often.
    """
    taken: Rounds = {name: [] for name in things}
    for number in range(rounds):
        for name in list(things)[:: -1 if number % 2 else 1]:
            taken[name].append(things[name]())
    return taken


def timed(
    call: Callable[[], object], times: int = 1, *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the seconds that one call takes, as the mean of several."""
    begin = clock()
    for _ in range(times):
        call()
    return (clock() - begin) / times


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    return find_spec(package) is not None


def ratios(comparisons: Sequence[Comparison], rounds: Rounds) -> list[Ratio]:
    """Return what the comparisons came to, of those whose things were measured."""
    found = []
    for one in comparisons:
        if one.ours in rounds and one.theirs in rounds:
            pairs = zip(rounds[one.ours], rounds[one.theirs], strict=True)
            each = [ours / theirs for ours, theirs in pairs]
            middle = [*each, *each] if len(each) == 1 else each
            low, median, high = statistics.quantiles(middle, n=4, method="inclusive")
            found.append(Ratio(one, median, low, high))
    return found


def missing(comparisons: Sequence[Comparison], rounds: Rounds) -> Iterator[str]:
    """Yield a sentence for each thing that was not there, and so not compared."""
    left_out: dict[str, list[Comparison]] = {}
    for one in comparisons:
        if one.ours not in rounds or one.theirs not in rounds:
            left_out.setdefault(one.needs, []).append(one)
    for needs, lines in left_out.items():
        names = "; ".join(dict.fromkeys(f"{one.what} against {one.against}" for one in lines))
        yield f"Skipped, since {needs} is not here: {names}."


def text(found: Sequence[Ratio]) -> str:
    """Return a table to read on a terminal."""
    rows = [HEAD, *(one.cells for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def markdown(found: Sequence[Ratio]) -> str:
    """Return the same table in Markdown."""
    rows = [HEAD, ("---",) * len(HEAD), *(one.cells for one in found)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def print_ratios(comparisons: Sequence[Comparison], rounds: Rounds) -> None:
    """Print a benchmark's own table."""
    print("\n".join([text(ratios(comparisons, rounds)), *missing(comparisons, rounds)]))


def in_child(module: str, *arguments: str, python: str = sys.executable) -> Rounds:
    """Return what a benchmark measures in a process of its own: the JSON of its last line.

    Args:
        module: Its name in this folder.
        arguments: What it is run with.
        python: The interpreter.
    """
    command = [python, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    rounds: Rounds = json.loads(done.stdout.splitlines()[-1])
    return rounds


def machine() -> Iterator[str]:
    """Yield what the figures depend on: the date, the machine, the versions."""
    yield time.strftime("%Y-%m-%d, %H:%M UTC", time.gmtime())
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    yield f"{_processor()}, {_cores()} cores{load}"
    yield f"{platform.platform()}, {platform.python_implementation()} {platform.python_version()}"
    yield versions()


def versions(python: str = sys.executable) -> str:
    """Return the versions of what is compared, as far as an interpreter has it."""
    if python != sys.executable:
        code = "from tests.benchmarks.comparing import versions; print(versions())"
        done = subprocess.run(
            [python, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()
    return ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name)))


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
