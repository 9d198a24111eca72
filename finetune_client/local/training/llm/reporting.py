"""Telling the server of each step, and pausing when it asks."""

# ruff: noqa: ARG002 - transformers decides what its callbacks are given

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import distributed
from transformers import TrainerCallback

from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from finetune_client.local.training.llm.run_directory import RunDirectory

__all__ = ["Measures", "Reporter", "add_up"]


def add_up(values: Sequence[float], device: torch.device) -> list[float]:
    """Return the sums of values over all processes."""
    if not distributed.is_initialized():
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(sums)
    return [float(value) for value in sums.tolist()]


class Measures(Protocol):
    """What a method measures; all processes call all of it, at the same steps."""

    def before_step(self, step: int) -> Mapping[str, float]:
        """Return metrics of a part of the validation file."""

    def after_step(self) -> tuple[Mapping[str, float], int]:
        """Return metrics of the step's batch, and how many tokens it trained on."""

    def validate(self, step: int) -> Mapping[str, float]:
        """Return metrics of the whole validation file."""


class Reporter(TrainerCallback):
    """Writes an event for each step, and asks for a checkpoint at the end of each epoch.

    Args:
        run: Where events are written and requests are looked for.
        measures: What is measured.
        epoch_steps: The steps of an epoch.
        interval: After how many steps the whole validation file is measured, beside the epochs.
    """

    def __init__(
        self, run: RunDirectory, measures: Measures, *, epoch_steps: int, interval: int | None
    ) -> None:
        self._run = run
        self._measures = measures
        self._epoch_steps = epoch_steps
        self._interval = interval
        self._metrics: dict[str, float] = {}
        self._step: dict[str, Any] | None = None
        self.is_paused = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell how many steps there are."""
        if state.is_world_process_zero:
            world = distributed.get_world_size() if distributed.is_initialized() else 1
            self._run.add_event(
                "started", total_steps=state.max_steps, device=str(args.device), processes=world
            )

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure a part of the validation file with the weights that the step starts from."""
        self._metrics = dict(self._measures.before_step(state.global_step + 1))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Measure the step, and save a checkpoint where one is due."""
        step = state.global_step
        metrics, tokens = self._measures.after_step()
        self._metrics |= metrics
        epoch_ends = step % self._epoch_steps == 0
        if epoch_ends or (self._interval and step % self._interval == 0):
            self._metrics |= self._measures.validate(step)
        _refuse_divergence(self._metrics, step)
        wanted = float(state.is_world_process_zero and self._run.is_pause_requested())
        self.is_paused = add_up([wanted], args.device)[0] > 0 and step < state.max_steps
        control.should_save = epoch_ends or self.is_paused
        control.should_training_stop = control.should_training_stop or self.is_paused
        self._step = {
            "number": step,
            "metrics": self._metrics,
            "tokens": tokens,
            "checkpoint": epoch_ends,
        }
        if not control.should_save:
            self._add_step(state)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report the step now that its checkpoint is on the disk."""
        self._add_step(state)

    def _add_step(self, state: Any) -> None:
        if distributed.is_initialized():
            distributed.barrier()  # every process has written its part of a checkpoint
        if self._step is not None and state.is_world_process_zero:
            self._run.add_event("step", **self._step)
        self._step = None


def _refuse_divergence(metrics: Mapping[str, float], step: int) -> None:
    if not all(math.isfinite(value) for value in metrics.values()):
        raise TrainingError(
            f"Training diverged at step {step}: a loss is no longer a finite number. Create the "
            "job again with a smaller learning_rate_multiplier.",
            code="training_diverged",
        )
