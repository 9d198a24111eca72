"""One run from its task to its last event, whatever the method."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from finetune_client.local.training.llm.reporting import Reporter
from finetune_client.local.training.llm.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.local.training.llm.run_directory import RunDirectory

__all__ = ["train"]

_NAMED = ("torch", "transformers", "peft", "trl", "accelerate")
_METHODS = {"supervised": "supervised", "dpo": "preferences", "reinforcement": "reinforcement"}


def train(run: RunDirectory, task: Mapping[str, Any]) -> None:
    """Train, and add the run's events.

    Raises:
        TrainingError: It cannot be done.
    """
    disable_progress_bar()
    _begin_log(task)
    setup = Setup.of(run, task)
    if setup.options.threads is not None:
        torch.set_num_threads(setup.options.threads)
    set_seed(task["seed"])
    # TRL and datasets take seconds to import, so only a method that needs them does.
    method = importlib.import_module(f"{__package__}.{_METHODS[task['method']]}")
    trainer, measures, epoch_steps = method.prepare(setup)
    reporter = Reporter(
        run, measures, epoch_steps=epoch_steps, interval=setup.settings.get("eval_interval")
    )
    trainer.add_callback(reporter)
    unheeded = _unheeded(is_sharded=trainer.is_fsdp_enabled)
    if unheeded and setup.rank == 0:
        setup.warn(unheeded)
    trainer.train(resume_from_checkpoint=task["resume_from"])
    if setup.rank == 0:
        run.add_event("paused" if reporter.is_paused else "finished")
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _begin_log(task: Mapping[str, Any]) -> None:
    """Write what trains what: the first line of each run in the log of its job."""
    begins = "begins" if task["resume_from"] is None else "resumes from a snapshot"
    versions = ", ".join(f"{name} {version(name)}" for name in _NAMED)
    line = f"A run of {task['base']} ({task['method']}) {begins}: {versions}."
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the log of the job


def _unheeded(*, is_sharded: bool) -> str | None:
    """Return what accelerate does not do of what its config asks for, as it says nothing itself."""
    env = os.environ
    if env.get("ACCELERATE_USE_FSDP", "").lower() == "true" and not is_sharded:
        return (
            "The config file of accelerate asks for FSDP, but accelerate shards models on GPUs and "
            "other accelerators alone: on this CPU each process holds the whole model."
        )
    # Its launcher sets an address for several processes, and leaves it to mpirun to start them.
    if "ACCELERATE_MIXED_PRECISION" in env and "MASTER_ADDR" in env and "WORLD_SIZE" not in env:
        return (
            "The config file of accelerate asks for several processes, but with its distributed_type "
            "accelerate starts only one. MULTI_GPU starts them on CPUs, too; so does the option "
            "processes, without a config file."
        )
    return None
