"""One process of a run: ``python -m finetune_client.local.training.llm.child DIRECTORY``.

Success is the event ``finished`` or ``paused``, never the exit status: launchers have their own.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from finetune_client.local.training.llm.run_directory import RunDirectory
from finetune_client.local.training.llm.watching import watch
from finetune_client.local.training.trainer import TrainingError

__all__ = ["failure", "main"]

_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_cpu")
_BROKEN_LINKS = ("DistBackendError", "DistNetworkError", "Connection closed by peer", "gloo")
_LESS_MEMORY = (
    "Create the job again with a smaller batch_size or shorter examples, train an adapter instead "
    "of all weights, or let the server compute activations twice."
)


def main(directory: str) -> int:
    """Train as the task in a run's directory says; return the exit status."""
    run = RunDirectory(Path(directory))
    watch(run)
    if "LOCAL_RANK" not in os.environ:
        # transformers would spread one process over all GPUs that it sees, by a way long outdated.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]
        # A service manager and a shutdown send it to the server too: that one decides when a run
        # ends, and a run that ended before it would be taken for one that has failed.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What was trained is for others too, and each checkpoint may be the model: of a config that asks
    # for shards alone, as FSDP2 does by itself, transformers would save no model, without a word.
    os.environ["FSDP_STATE_DICT_TYPE"] = "FULL_STATE_DICT"
    try:
        from finetune_client.local.training.llm.runs import train

        train(run, run.read_task())
    except BaseException as error:  # noqa: BLE001 - whatever it is, the server is told
        traceback.print_exc()
        # The process that broke off tells what happened, or the server sees that it has died.
        text = f"{type(error).__name__}: {error}"
        if not any(sign in text for sign in _BROKEN_LINKS):
            run.add_event("error", **failure(error))
        sys.stderr.flush()
        # Threads of torch and of process groups can keep a process that has failed from ending.
        os._exit(1)
    return 0


def failure(error: BaseException) -> dict[str, Any]:
    """Return the code and the message that tell a user of an error."""
    if isinstance(error, TrainingError):
        return {"code": error.code, "message": str(error)}
    text = f"{type(error).__name__}: {error}"
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if is_memory or any(sign in text.lower() for sign in _MEMORY_SIGNS):
        message = f"There was too little memory. {_LESS_MEMORY} ({text.splitlines()[0]})"
        return {"code": "out_of_memory", "message": message}
    if isinstance(error, ModuleNotFoundError):
        return {
            "code": "trainer_not_installed",
            "message": f"{error}. Install what training needs: pip install 'finetune-client[llm]'",
        }
    return {"code": "training_failed", "message": f"Training failed: {text}"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
