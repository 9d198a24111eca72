"""Compare the memory that a job is said to need with what its process takes at its peak.

    python -m tests.benchmarks.bench_llm_memory [MODEL_DIRECTORY]

MODEL_DIRECTORY holds safetensors of SmolLM2-135M; without it only a random Llama is trained. The peak
is ``VmHWM`` of Linux: pages in memory, those of files that are read included. Runs make three to six
steps: the optimizer's averages are there from the second on, and the heap grows a little longer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from finetune_client.file_lock import LockFile
from finetune_client.local.training.llm.options import Options
from finetune_client.local.training.llm.processes import environment
from finetune_client.local.training.llm.run_directory import RunDirectory

__all__ = ["measure", "task_of"]

WORDS = "A list keeps its items in the order in which they were put into it. "
LONG = {"length": 30, "examples": 12}
"""About 500 tokens of SmolLM2 each."""


def lines_of(method: str, *, length: int, examples: int) -> list[dict[str, Any]]:
    """Examples whose answers are `length` sentences long, more or less."""
    found: list[dict[str, Any]] = []
    for number in range(examples):
        question = {"role": "user", "content": f"What is a list, in {number} sentences?"}
        answer = {"role": "assistant", "content": WORDS * (length - number % 3 % length)}
        if method == "supervised":
            found.append({"messages": [question, answer]})
        else:
            found.append(
                {
                    "input": {"messages": [question]},
                    "preferred_output": [answer],
                    "non_preferred_output": [{**answer, "content": WORDS * length}],
                }
            )
    return found


def task_of(
    model: Path,
    directory: Path,
    *,
    method: str = "supervised",
    length: int = 3,
    examples: int = 24,
    batch: int = 4,
    **options: Any,
) -> dict[str, Any]:
    """A task of one epoch; the example files of the documentation are about as short."""
    file = directory / "lines.jsonl"
    lines = lines_of(method, length=length, examples=examples)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    settings = {"n_epochs": 1, "batch_size": batch, "learning_rate_multiplier": 1.0, "beta": 0.1}
    return {
        "method": method,
        "base": "model",
        "source": {"location": str(model), "gguf": None, "is_local": True},
        "cache": str(directory),
        "training_file": str(file),
        "validation_file": None,
        "hyperparameters": settings,
        "seed": 1,
        "grader": None,
        "parent": None,
        "resume_from": None,
        "options": Options(threads=1, **options).to_dict(),
    }


def measure(task: dict[str, Any], directory: Path) -> tuple[dict[str, Any], int]:
    """Train in a process of its own; return what it told of its memory, and its peak in bytes."""
    run = RunDirectory(directory)
    run.write_task(task)
    owner = LockFile(run.owner)
    owner.acquire()
    command = [sys.executable, "-m", "finetune_client.local.training.llm.child", str(directory)]
    peak = 0
    with (
        (directory / "log.txt").open("w") as log,
        subprocess.Popen(command, env=environment(1), stdout=log, stderr=log) as child,
    ):
        while child.poll() is None:
            peak = peak_of(child.pid) or peak
            time.sleep(0.02)
    owner.release()
    events = list(run.events().read())
    if events[-1]["event"] != "finished":
        raise RuntimeError(f"The run failed: {events[-1]}")
    told = next(event for event in events if event.get("data", {}).get("needed_bytes"))
    return told["data"], peak


def peak_of(process: int) -> int:
    """The most bytes that a process has had; 0 when it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    line = next((one for one in status.splitlines() if one.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024


def runs(smollm2: Path | None) -> list[tuple[str, dict[str, Any]]]:
    """What is measured: a name, and the arguments of `task_of` that differ."""
    every: list[tuple[str, dict[str, Any]]] = [
        ("LoRA, float32", {"dtype": "float32"}),
        ("all weights, float32", {"dtype": "float32", "full": True}),
        ("dpo, LoRA, float32", {"dtype": "float32", "method": "dpo"}),
        ("dpo, all weights, float32", {"dtype": "float32", "method": "dpo", "full": True}),
        ("LoRA, bfloat16", {"dtype": "bfloat16"}),
        ("all weights, bfloat16", {"dtype": "bfloat16", "full": True}),
        ("LoRA, float32, 4 x 500 tokens", {"dtype": "float32", **LONG}),
        (
            "the same with activation_checkpointing",
            {"dtype": "float32", **LONG, "activation_checkpointing": True},
        ),
        ("LoRA, bfloat16, 4 x 500 tokens", {"dtype": "bfloat16", **LONG}),
        ("all weights, float32, 4 x 500 tokens", {"dtype": "float32", "full": True, **LONG}),
        (
            "dpo, LoRA, float32, 2 x 2 x 500 tokens",
            {"dtype": "float32", **LONG, "batch": 2, "method": "dpo"},
        ),
    ]
    return every if smollm2 is not None else every[:4]


def main() -> None:
    from tests.local.training.llm.conftest import make_model

    given = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    print("| model | training | estimate | measured | deviation |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        tiny = make_model(Path(folder) / "tiny")
        todo = [("tiny", tiny, run) for run in runs(None)]
        if given is not None:
            todo += [("SmolLM2-135M", given, run) for run in runs(given)]
        for number, (name, model, (how, arguments)) in enumerate(todo):
            if wanted not in f"{name} {how}":
                continue
            directory = Path(folder) / str(number)
            directory.mkdir()
            told, peak = measure(task_of(model, directory, **arguments), directory)
            needed = told["needed_bytes"]
            print(
                f"| {name} | {how} | {needed / 1e9:.2f} GB | {peak / 1e9:.2f} GB "
                f"| {needed / peak - 1:+.0%} |",
                flush=True,
            )
            if "-v" in sys.argv:
                print({part: round(size / 1e6) for part, size in told["parts"].items()})


if __name__ == "__main__":
    main()
