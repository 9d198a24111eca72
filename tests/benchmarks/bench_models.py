"""How long reading and writing take, against `json.loads` on the same bytes in the same run.

    python -m tests.benchmarks.bench_models [--rounds N]

It is processor time, of short runs that take turns. It also measures what importing the types costs,
each time in an interpreter of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from finetune_client.models import (
    ChatExample,
    FineTuningJob,
    FineTuningJobCheckpoint,
    FineTuningJobEvent,
    Page,
)
from tests.benchmarks.answers import FINISHED_JOB, QUEUED_JOB, page
from tests.benchmarks.comparing import (
    ROOT,
    Comparison,
    Rounds,
    alternate,
    print_ratios,
    timed,
    work,
)
from tests.benchmarks.house import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "measured"]

ROUNDS = 41
SECONDS = 0.02
"""Of one run of the shortest call."""

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


def _comparison(name: str, most: float | None, what: str | None = None) -> Comparison:
    return Comparison(
        what=what or f"read {name}",
        against="`json.loads`",
        ours=what or f"read {name}",
        theirs=f"json.loads of {name}",
        most=most,
    )


COMPARISONS = (
    _comparison("a finished job", 1.3),
    _comparison("a queued job", 1.5),
    _comparison("100 finished jobs", 2.0),
    _comparison("100 queued jobs", 2.0),
    _comparison("100 checkpoints", 2.0),
)
FURTHER = (
    _comparison("100 events", 2.0),
    _comparison("a chat example", None),
    *(
        _comparison(name, most, f"write {name}")
        for name, most in (
            ("a finished job", 1.5),
            ("a queued job", 1.5),
            ("100 finished jobs", None),
            ("100 queued jobs", None),
            ("100 checkpoints", None),
            ("100 events", None),
            ("a chat example", None),
        )
    ),
)
"""What this script prints and the whole table has not."""

_THINGS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "a finished job": (FINISHED_JOB, FineTuningJob.from_dict),
    "a queued job": (QUEUED_JOB, FineTuningJob.from_dict),
    "100 finished jobs": (page(FINISHED_JOB), lambda data: Page.from_dict(data, FineTuningJob)),
    "100 queued jobs": (page(QUEUED_JOB), lambda data: Page.from_dict(data, FineTuningJob)),
    "100 checkpoints": (
        page(CHECKPOINT),
        lambda data: Page.from_dict(data, FineTuningJobCheckpoint),
    ),
    "100 events": (page(EVENT), lambda data: Page.from_dict(data, FineTuningJobEvent)),
    "a chat example": (CHAT, ChatExample.from_dict),
}


def measured(rounds: int = ROUNDS) -> Rounds:
    """Read and write everything in turn."""
    taken: Rounds = {}
    for name, (data, read) in _THINGS.items():
        sent = json.dumps(data).encode()
        plain = json.loads(sent)
        calls: dict[str, Callable[[], object]] = {
            f"json.loads of {name}": partial(json.loads, sent),
            f"read {name}": partial(read, plain),
            f"write {name}": read(plain).to_dict,
        }
        times = max(1, int(SECONDS / timed(calls[f"json.loads of {name}"], 5)))
        things = {key: partial(timed, call, times, clock=work) for key, call in calls.items()}
        taken |= alternate(things, rounds)
    return taken


def modules_loaded(statement: str) -> int:
    """Return how many modules of the package a statement loads."""
    code = (
        f"{statement}\nimport sys; print(sum(m.startswith('finetune_client') for m in sys.modules))"
    )
    return int(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Measure reading and writing.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    print_ratios((*COMPARISONS, *FURTHER), measured(parser.parse_args().rounds))
    for statement in (
        "import finetune_client.models",
        "from finetune_client.models import FineTuningJob",
        "from finetune_client.models import *",
    ):
        print(
            f"{statement:50} {min(seconds(ROOT, statement) for _ in range(9)) * 1e3:6.1f} ms"
            f"   {modules_loaded(statement):3} modules of ours"
        )


if __name__ == "__main__":
    main()
