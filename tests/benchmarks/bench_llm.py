"""Time our supervised training against a plain script of transformers with the same settings.

    python -m tests.benchmarks.bench_llm MODEL_DIRECTORY [--steps 4] [--rounds 3]

MODEL_DIRECTORY holds safetensors. Both train on the short example files, with a batch of four on
one thread; what is compared is the time of the processor, which other programs change least. The
start is measured on an idle machine, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.comparing import Comparison, Rounds, alternate, in_child, print_ratios

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 3
STEPS = 4
COMPARISONS = (
    Comparison(
        what="trainer: a step of supervised training",
        against="a plain script of transformers and PEFT",
        ours="step",
        theirs="plain step",
        most=1.1,
        needs="torch with transformers and PEFT, or a model's directory (--model)",
    ),
)
FOLDER = Path(__file__).parents[2] / "docs" / "examples"
IMPORTS = """
import sys, torch, transformers, peft
transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
transformers.AutoTokenizer.from_pretrained(sys.argv[1])
"""


def task_of(model: Path, directory: Path, *, validates: bool = False) -> dict[str, Any]:
    """The task of a run on one thread."""
    from finetune_client.local.training.llm.options import Options

    return {
        "method": "supervised",
        "base": "model",
        "source": {"location": str(model), "gguf": None, "is_local": True},
        "cache": str(directory),
        "training_file": str(FOLDER / "python_short_train.jsonl"),
        "validation_file": str(FOLDER / "python_short_valid.jsonl") if validates else None,
        "hyperparameters": {"n_epochs": 1, "batch_size": 4, "learning_rate_multiplier": 1.0},
        "seed": 1,
        "grader": None,
        "parent": None,
        "resume_from": None,
        "options": Options(threads=1).to_dict(),
    }


class Clock:
    """The processor's seconds between the ends of steps; the first step is left out."""

    def __init__(self, steps: int) -> None:
        from transformers import TrainerCallback

        clock = self
        self.ends: list[float] = []

        class Callback(TrainerCallback):  # type: ignore[misc,unused-ignore]
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                clock.ends.append(time.process_time())
                control.should_training_stop |= len(clock.ends) > steps

        self.callback = Callback()

    def seconds(self) -> float:
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def ours(model: Path, steps: int, *, validates: bool = False) -> float:
    from finetune_client.local.training.llm import supervised
    from finetune_client.local.training.llm.reporting import Reporter
    from finetune_client.local.training.llm.run_directory import RunDirectory
    from finetune_client.local.training.llm.setup import Setup

    with tempfile.TemporaryDirectory() as directory:
        run = RunDirectory(Path(directory))
        setup = Setup.of(run, task_of(model, Path(directory), validates=validates))
        trainer, measures, epoch_steps = supervised.prepare(setup)
        trainer.add_callback(Reporter(run, measures, epoch_steps=epoch_steps, interval=None))
        clock = Clock(steps)
        trainer.add_callback(clock.callback)
        trainer.train()
    return clock.seconds()


def plain(model: Path, steps: int) -> float:
    """The same by a script as the documentation of transformers has it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainingArguments,
    )

    from finetune_client.local.training.llm import weights

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = []
    for line in (FOLDER / "python_short_train.jsonl").read_text(encoding="utf-8").splitlines():
        messages = json.loads(line)["messages"]
        prompt = tokenizer.apply_chat_template(
            messages[:1], tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False))["input_ids"]
        size = len(tokenizer(prompt)["input_ids"])
        rows.append({"input_ids": whole, "labels": [-100] * size + whole[size:]})
    dtype = weights.matmul_dtype("auto")
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    clock = Clock(steps)
    with tempfile.TemporaryDirectory() as directory:
        Trainer(
            model=get_peft_model(base, config),
            args=TrainingArguments(
                output_dir=directory,
                per_device_train_batch_size=4,
                num_train_epochs=1,
                learning_rate=1e-3,
                bf16=dtype is torch.bfloat16,
                use_cpu=not torch.cuda.is_available(),
                logging_steps=1,
                report_to=[],
                disable_tqdm=True,
                save_strategy="no",
            ),
            train_dataset=rows,
            data_collator=DataCollatorForSeq2Seq(tokenizer),
            callbacks=[clock.callback],
        ).train()
    return clock.seconds()


def start(model: Path) -> tuple[float, float]:
    """Seconds to the first step, and seconds of importing and loading alone."""
    from finetune_client.local.training.llm.processes import environment
    from finetune_client.local.training.llm.run_directory import RunDirectory

    env = environment(1)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS, str(model)], check=True, env=env)
    alone = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as directory:
        run = RunDirectory(Path(directory))
        run.write_task(task_of(model, Path(directory)))
        handle = os.open(run.owner, os.O_RDWR | os.O_CREAT)
        from finetune_client.file_lock import lock

        lock(handle)
        began = time.perf_counter()
        child = [sys.executable, "-m", "finetune_client.local.training.llm.child", directory]
        with subprocess.Popen(child, env=env) as process:
            reader = run.events()
            while not any(event["event"] == "started" for event in reader.read()):
                time.sleep(0.02)
            first = time.perf_counter() - began
            process.kill()
        os.close(handle)
    return first, alone


def measured(
    rounds: int = ROUNDS, *, model: Path, steps: int = STEPS, python: str = sys.executable
) -> Rounds:
    """Train in a process of its own, whose interpreter has torch, in turn with the plain script."""
    options = ["--rounds", str(rounds), "--steps", str(steps), "--json"]
    return in_child("bench_llm", str(model.resolve()), *options, python=python)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure training.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    model = options.model.resolve()
    things = {
        "step": partial(ours, model, options.steps),
        "plain step": partial(plain, model, options.steps),
    }
    rounds = alternate(things, options.rounds)
    if options.json:
        print(json.dumps(rounds))
        return
    print_ratios(COMPARISONS, rounds)
    print(f"a step: {', '.join(f'{taken:.2f} s' for taken in rounds['step'])}")
    print(f"with a validation file: {ours(model, options.steps, validates=True):.2f} s")
    for _ in range(2):
        first, alone = start(model)
        print(f"to the first step: {first:.1f} s, imports and loading alone {alone:.1f} s")


if __name__ == "__main__":
    main()
