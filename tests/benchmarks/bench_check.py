"""How long `check` takes, as a ratio to a bare `json.loads` over the same lines, and what it holds.

    python -m tests.benchmarks.bench_check [--megabytes 150] [--rounds 4]

The texts have hyphens, quotes, line feeds, underscores and `<` about as often as answers in prose
and Markdown have; one line in five has characters beyond ASCII.

A ratio of 2 means: half the speed of json.loads. One process is compared by its processor time, two by
the time on the clock. With msgspec and without it are processes of their own. Memory is the highest
resident set of a process that does nothing but check the file.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.comparing import (
    Comparison,
    Rounds,
    alternate,
    in_child,
    is_installed,
    print_ratios,
    work,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 4
MEGABYTES = 150
_WITH, _WITHOUT = ", with msgspec", ", without msgspec"
_LIMITS = {_WITH: (1.0, 1.4), _WITHOUT: (0.25, 0.35)}
"""The least speed in one process and in two, in multiples of that of `json.loads`."""

COMPARISONS = tuple(
    Comparison(
        what=f"check a training file in {name}{title}",
        against="`json.loads` of its lines",
        ours=name + title,
        theirs=f"json.loads beside {name}{title}",
        most=round(1 / least, 2),
        needs="msgspec" if title == _WITH else "",
    )
    for title, (one, two) in _LIMITS.items()
    for name, least in (("one process", one), ("two processes", two))
)

PLAIN = (
    "the model answers a question about weather and history in plain words, so that it gives what "
    "was asked for and nothing more; there are long sentences and short ones in every answer. Here"
)
ODD = (
    'said\n "yes" 3.14 {"key": x = a_name risk-free AK (see I\n\n- `b` long-term well-known "no",\n\n'
    "<b> Key <br/> snake_case | 2024-05-01 --flag don't size\n- **a** a<b it's"
)
"""One word in eight is one of these."""

FOREIGN = "café naïve Zürich 日本 🙂 “so” —"
"""In one line of five, one word in eight may be one of these as well."""

WORDS, ODD_WORDS = PLAIN.split(" "), ODD.split(" ")
MIXED_WORDS = [*ODD_WORDS, *FOREIGN.split(" ")]

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def text(dice: random.Random, most: int, odd: list[str]) -> str:
    number = dice.randint(5, most)
    words = dice.choices(WORDS, k=number)
    for place in range(dice.randrange(8), number, 8):
        words[place] = dice.choice(odd)
    return " ".join(words)


def example(dice: random.Random, number: int, kind: float, words: int) -> dict[str, Any]:
    """Make a chat example: one in fifty has weights, one in fifty a tool."""
    messages: list[dict[str, Any]] = []
    odd = MIXED_WORDS if dice.random() < 0.2 else ODD_WORDS
    if dice.random() < 0.7:
        messages.append({"role": "system", "content": "You answer briefly and to the point."})
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        messages.append({"role": "user", "content": f"{number} {text(dice, words, odd)}"})
        messages.append({"role": "assistant", "content": text(dice, 2 * words, odd)})
    if kind < 0.02:
        messages[-1]["weight"] = 1
    elif kind < 0.04:
        function = {"name": "weather", "arguments": '{"city": "Bath"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        messages[-1] = {"role": "assistant", "tool_calls": [call]}
        return {"messages": messages, "tools": [TOOL]}
    return {"messages": messages}


def write(path: Path, size: int, *, ascii_only: bool, words: int) -> int:
    dice = random.Random(1)
    written = number = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        while written < size:
            line = json.dumps(example(dice, number, dice.random(), words), ensure_ascii=ascii_only)
            written += file.write(line + "\n")
            number += 1
    return number


def bare(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def measured(rounds: int = ROUNDS, megabytes: int = MEGABYTES) -> Rounds:
    """Check a file whose lines are escaped, as `json.dumps` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.jsonl"
        write(path, megabytes * 1_000_000, ascii_only=True, words=60)
        return _of_both(path, rounds)


def _of_both(path: Path, rounds: int) -> Rounds:
    taken: Rounds = {}
    for title in (*([_WITH] if is_installed("msgspec") else []), _WITHOUT):
        found = in_child(
            "bench_check", "--file", str(path), "--rounds", str(rounds), *_flags(title)
        )
        taken |= {name + title: times for name, times in found.items()}
    return taken


def _flags(title: str) -> list[str]:
    return ["--without-msgspec"] if title == _WITHOUT else []


def _compete(path: Path, rounds: int) -> Rounds:
    from finetune_client.training_data import check

    clocks: Rounds = {name: [] for name in ("one process", "json.loads beside one process")}

    def both(name: str, action: Callable[[], object]) -> float:
        """Give the seconds that passed, and note those that this process worked."""
        begun = time.perf_counter(), work()
        action()
        if name in clocks:
            clocks[name].append(work() - begun[1])
        return time.perf_counter() - begun[0]

    things: dict[str, Callable[[], object]] = {
        "json.loads beside one process": partial(bare, path),
        "one process": partial(check, path, workers=1),
        "two processes": partial(check, path, workers=2),
    }
    check(path, workers=1)  # loads what the first call needs
    passed = alternate({name: partial(both, name, one) for name, one in things.items()}, rounds)
    return {
        **clocks,
        "two processes": passed["two processes"],
        "json.loads beside two processes": passed["json.loads beside one process"],
    }


def _memory(path: Path, title: str) -> None:
    """Print the peak of a process that checks a file alone, and that of its largest worker."""
    for workers in (1, 2):
        peaks = in_child(
            "bench_check", "--peak", str(path), "--workers", str(workers), *_flags(title)
        )
        shown = " and ".join(f"{peak[0] / 2**20:.0f} MiB" for peak in peaks.values() if peak[0])
        print(f"  memory{title}, {workers} process(es): {shown}")


def _peaks(path: Path, workers: int) -> Rounds:
    import resource

    from finetune_client.training_data import check

    check(path, workers=workers)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        name: [resource.getrusage(who).ru_maxrss * unit]
        for name, who in (("own", resource.RUSAGE_SELF), ("worker", resource.RUSAGE_CHILDREN))
    }


def _child(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if given.without_msgspec:  # here and, since they get the same path, in worker processes
            Path(folder, "msgspec.py").write_text("raise ImportError", encoding="utf-8")
            sys.path.insert(0, folder)
        found = (
            _peaks(given.peak, given.workers) if given.peak else _compete(given.file, given.rounds)
        )
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the check of a training file.")
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peak", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--without-msgspec", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.file or given.peak:
        _child(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, ascii_only, words in (
            ("escaped (as json.dumps writes)", True, 60),
            ("UTF-8", False, 60),
            ("short lines", True, 6),
        ):
            path = Path(folder) / "train.jsonl"
            lines = write(path, given.megabytes * 1_000_000, ascii_only=ascii_only, words=words)
            size = path.stat().st_size
            print(f"{name}: {size / 1e6:.0f} MB, {lines} lines of {size / lines:.0f} bytes")
            print_ratios(COMPARISONS, _of_both(path, given.rounds))
            print(f"  the bound of memory, 80 MiB + 16 bytes a line: {80 + 16 * lines / 2**20:.0f}")
            for title in (_WITH, _WITHOUT):
                if title == _WITHOUT or is_installed("msgspec"):
                    _memory(path, title)


if __name__ == "__main__":
    main()
