"""How long reading and writing take, against `json.loads` on the same bytes in the same run.

Run it as a script; each figure is the best of many short runs, so that a busy machine does less
harm. It also measures what importing the types costs, each time in an interpreter of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import timeit
from typing import TYPE_CHECKING, Any

from finetune_client.models import (
    ChatExample,
    FineTuningJob,
    FineTuningJobCheckpoint,
    FineTuningJobEvent,
    Page,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 60
SECONDS = 0.01

FINISHED_JOB: dict[str, Any] = {
    "object": "fine_tuning.job",
    "id": "ftjob-abc123",
    "model": "gpt-4o-mini-2024-07-18",
    "created_at": 1721764800,
    "finished_at": 1721768400,
    "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:my-org:custom_suffix:7q8mpxmy",
    "organization_id": "org-123",
    "result_files": ["file-abc123"],
    "status": "succeeded",
    "validation_file": None,
    "training_file": "file-abc123",
    "hyperparameters": {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0},
    "trained_tokens": 5768,
    "error": {},
    "user_provided_suffix": None,
    "seed": 950189191,
    "estimated_finish": 0,
    "integrations": [],
    "method": {
        "type": "supervised",
        "supervised": {
            "hyperparameters": {"n_epochs": 4, "batch_size": 1, "learning_rate_multiplier": 1.0}
        },
    },
    "metadata": {"key": "value"},
    "usage_metrics": None,
    "shared_with_openai": False,
}
AUTO_SETTINGS = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
QUEUED_JOB: dict[str, Any] = {
    **FINISHED_JOB,
    "finished_at": None,
    "fine_tuned_model": None,
    "result_files": [],
    "status": "queued",
    "hyperparameters": AUTO_SETTINGS,
    "trained_tokens": None,
    "estimated_finish": None,
    "method": {"type": "supervised", "supervised": {"hyperparameters": AUTO_SETTINGS}},
}
"""The same job before it runs. Its JSON is shorter, so that reading it counts for more."""
CHECKPOINT: dict[str, Any] = {
    "object": "fine_tuning.job.checkpoint",
    "id": "ftckpt_qtZ5Gyk4BLq1SfLFWp3RtO3P",
    "created_at": 1712211699,
    "fine_tuned_model_checkpoint": "ft:gpt-4o-mini-2024-07-18:my-org:suffix:9ABel2dg:ckpt-step-88",
    "fine_tuning_job_id": "ftjob-fpbNQ3H1GrMehXRf8cO97xTN",
    "metrics": {
        "step": 88,
        "train_loss": 0.478,
        "train_mean_token_accuracy": 0.924,
        "valid_loss": 10.112,
        "valid_mean_token_accuracy": 0.145,
        "full_valid_loss": 0.567,
        "full_valid_mean_token_accuracy": 0.944,
    },
    "step_number": 88,
}
EVENT: dict[str, Any] = {
    "object": "fine_tuning.job.event",
    "id": "ftevent-abc123",
    "created_at": 1677610602,
    "level": "info",
    "message": "Step 100/1000: training loss=0.47",
    "data": {"step": 100, "total_steps": 1000, "train_loss": 0.47},
    "type": "metrics",
}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Marv is a factual chatbot that is also sarcastic."},
        {"role": "user", "content": "What's the capital of France?"},
        {"role": "assistant", "content": "Paris, as if everyone doesn't know that already."},
    ]
}


def best(*calls: Callable[[], object]) -> list[float]:
    """Return the seconds of each call, at its best; they take turns, so that all meet the same load."""
    timers = [timeit.Timer(call) for call in calls]
    number = max(1, int(SECONDS / max(timers[0].timeit(3) / 3, 1e-9)))
    rounds = [[timer.timeit(number) / number for timer in timers] for _ in range(RUNS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def page(row: dict[str, Any]) -> dict[str, Any]:
    """Return a list object of 100 such rows, with their own ids."""
    rows = [{**row, "id": f"{row['id']}{number}"} for number in range(100)]
    return {"object": "list", "data": rows, "has_more": True}


def compare(name: str, data: dict[str, Any], read: Callable[[Any], Any]) -> None:
    """Print what reading and writing take, in multiples of `json.loads`."""
    sent = json.dumps(data).encode()
    plain = json.loads(sent)
    value = read(plain)
    loads, reading, writing = best(lambda: json.loads(sent), lambda: read(plain), value.to_dict)
    print(
        f"{name:22} json.loads {loads * 1e6:8.2f} us"
        f"   read {reading / loads:5.2f}   write {writing / loads:5.2f}"
    )


def import_cost(statement: str) -> float:
    """Return the seconds that a statement adds to starting Python, at its best."""

    def started(code: str) -> float:
        command = [sys.executable, "-c", code]
        return min(timeit.repeat(lambda: subprocess.run(command, check=True), number=1, repeat=15))

    return started(statement) - started("pass")


def modules_loaded(statement: str) -> int:
    """Return how many modules of the package a statement loads."""
    code = (
        f"{statement}\nimport sys; print(sum(m.startswith('finetune_client') for m in sys.modules))"
    )
    return int(subprocess.check_output([sys.executable, "-c", code]))


def main() -> None:
    """Print all figures."""
    for name, job in (("queued", QUEUED_JOB), ("finished", FINISHED_JOB)):
        compare(f"a {name} job", job, FineTuningJob.from_dict)
        compare(f"100 {name} jobs", page(job), lambda data: Page.from_dict(data, FineTuningJob))
    compare(
        "100 checkpoints",
        page(CHECKPOINT),
        lambda data: Page.from_dict(data, FineTuningJobCheckpoint),
    )
    compare("100 events", page(EVENT), lambda data: Page.from_dict(data, FineTuningJobEvent))
    compare("a chat example", CHAT, ChatExample.from_dict)
    for statement in (
        "import finetune_client.models",
        "from finetune_client.models import FineTuningJob",
        "from finetune_client.models import *",
    ):
        print(
            f"{statement:50} {import_cost(statement) * 1e3:6.1f} ms"
            f"   {modules_loaded(statement):3} modules of ours"
        )


if __name__ == "__main__":
    main()
