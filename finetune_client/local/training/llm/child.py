"""One process of a run: ``python -m finetune_client.local.training.llm.child DIRECTORY``.

Success is the event ``finished`` or ``paused``, never the exit status: launchers have their own.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from finetune_client.local.training.llm.failures import failure
from finetune_client.local.training.llm.run_directory import RunDirectory
from finetune_client.local.training.llm.watching import watch

__all__ = ["main"]

_BROKEN_LINKS = ("DistBackendError", "DistNetworkError", "Connection closed by peer", "gloo")


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
    # for shards alone, as FSDP2 and stage 3 of DeepSpeed do by themselves, transformers would save no
    # model, without a word.
    os.environ["FSDP_STATE_DICT_TYPE"] = "FULL_STATE_DICT"
    os.environ["ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL"] = "true"  # in whatever dtype it has
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
