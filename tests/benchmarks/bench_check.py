"""How fast `check` is, as a ratio to a bare `json.loads` over the same lines, and what it holds.

    python tests/benchmarks/bench_check.py [--megabytes 150] [--rounds 5] [--without-msgspec]

The texts have hyphens, quotes, line feeds, underscores and `<` about as often as answers in prose
and Markdown have; one line in five has characters beyond ASCII.

A ratio of 0.5 means: half the speed of json.loads. The times compared are the best of all rounds;
each round times all of them one after another. Memory is the highest resident set of a process
that does nothing but check the file.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.training_data import check

if TYPE_CHECKING:
    from collections.abc import Callable

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


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Give the seconds that passed, and those that this process worked."""
    begun = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - begun[0], time.process_time() - begun[1]


def memory(path: Path, workers: int) -> list[int]:
    """Check a file in a process of its own; give its peak and that of its largest worker."""
    command = [sys.executable, __file__, "--check", str(path), "--workers", str(workers)]
    if "--without-msgspec" in sys.argv:
        command.append("--without-msgspec")
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(number) for number in ran.stdout.split()]


def measure(name: str, path: Path, lines: int, rounds: int) -> None:
    ways: dict[str, Callable[[], object]] = {
        "json.loads": partial(bare, path),
        "check": partial(check, path, workers=1),
        "check by two": partial(check, path, workers=2),
    }
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, action in ways.items():
            times[way].append(timed(action))
    best = {way: min(passed for passed, _ in taken) for way, taken in times.items()}
    worked = {way: min(work for _, work in taken) for way, taken in times.items()}
    size = path.stat().st_size
    print(f"{name}: {size / 1e6:.0f} MB, {lines} lines of {size / lines:.0f} bytes")
    print(f"  json.loads    {best['json.loads']:6.2f} s  ({rounds} rounds)")
    for way in ("check", "check by two"):
        print(f"  {way:13} {best[way]:6.2f} s  ratio {best['json.loads'] / best[way]:.2f}")
    ratio = worked["json.loads"] / worked["check"]
    print(f"  ratio of the processor's time, which a busy machine blurs less: {ratio:.2f}")
    allowed = 80 + 16 * lines / 2**20
    for workers in (1, 2):
        peaks = memory(path, workers)
        shown = " and ".join(f"{peak / 1024:.0f} MiB" for peak in peaks if peak)
        print(f"  memory, {workers} process(es): {shown} (80 MiB + 16 bytes a line: {allowed:.0f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", type=Path, help="check this file and print the memory it took")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--without-msgspec", action="store_true", help="as if it was not installed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.without_msgspec:  # here and, since they get the same path, in worker processes
            Path(folder, "msgspec.py").write_text("raise ImportError", encoding="utf-8")
            sys.path.insert(0, folder)
        run(given)


def run(given: argparse.Namespace) -> None:
    if given.check:
        check(given.check, workers=given.workers)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(own, theirs)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, ascii_only, words in (
            ("escaped (as json.dumps writes)", True, 60),
            ("UTF-8", False, 60),
            ("short lines", True, 6),
        ):
            path = Path(folder) / "train.jsonl"
            lines = write(path, given.megabytes * 1_000_000, ascii_only=ascii_only, words=words)
            measure(name, path, lines, given.rounds)


if __name__ == "__main__":
    main()
