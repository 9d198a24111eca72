"""The protocol of a trainer, and the values that pass between the server and a trainer.

What is large passes as a path: training files, models, snapshots. So a trainer may do its work in
another process, and the server holds no model in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Step", "Trainer", "Training", "TrainingError", "TrainingTask"]


class TrainingError(Exception):
    """Training cannot continue; the job fails with `code` and the message."""

    def __init__(self, message: str, *, code: str = "training_failed") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingTask:
    """Everything that a training run depends on: the same task yields the same numbers.

    Attributes:
        method: ``supervised``, ``dpo`` or ``reinforcement``.
        model: The name of the model to start from.
        base: The name of the base model; `model` itself unless that is a tuned one.
        training_file: JSON Lines in UTF-8 that have been checked; the file never changes.
        validation_file: The same for validation; `None` without one.
        hyperparameters: As `Trainer.resolve` returned them.
        seed: The seed of all random numbers.
        grader: For ``reinforcement``: the grader as the API has it, an object.
        parent: The directory of the tuned model to start from, as `Training.save_model` wrote it;
            `None` for a base model.
        directory: The job's own directory, the same for `Trainer.start` and `Trainer.resume`. A
            trainer may keep what it likes in it, such as logs and checkpoints; it is removed when
            the job has ended.
    """

    method: str
    model: str
    base: str
    training_file: Path
    validation_file: Path | None
    hyperparameters: Mapping[str, Any]
    seed: int
    grader: Mapping[str, Any] | None
    parent: Path | None
    directory: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The outcome of one step of training.

    Attributes:
        number: Counted from 1 over the whole run.
        metrics: What was measured, under the API's names (``train_loss`` ...).
        tokens: How many tokens were trained on in this step.
        checkpoint: Whether to save the model, as it is after this step, as a checkpoint.
    """

    number: int
    metrics: Mapping[str, float]
    tokens: int
    checkpoint: bool = False


class Training(Protocol):
    """One run. One thread iterates over `steps` and saves; `stop` and `close` may come from others.

    Attributes:
        total_steps: How many steps the run has; known once the first step has been yielded.
        notices: What a user should know before the first step, such as examples that are cut short:
            a sentence each, known then too.
    """

    total_steps: int
    notices: Sequence[str]

    def steps(self) -> Iterator[Step]:
        """Train until the run is done, and yield each step; called once.

        It may block for as long as a step takes, and yield steps that another process has made.

        Raises:
            TrainingError: It cannot continue.
        """

    def save_model(self, directory: Path) -> None:
        """Write the model into an empty directory; a later task can start from it.

        Called only after a step with `Step.checkpoint`, before the next one is asked for, and
        after `steps` has ended. What is written is the model as it is after the step that was
        yielded last, even if another process has meanwhile gone on. Files of `TrainingTask.directory`
        may be moved or linked into the directory, which is renamed when this returns.

        Raises:
            TrainingError: It cannot be written.
        """

    def save_snapshot(self, directory: Path) -> None:
        """Write what `Trainer.resume` needs to continue as if the run had never been interrupted.

        Called when `save_model` may be, and only if this run has yielded a step.
        """

    def stop(self) -> None:
        """Let `steps` yield the step that is under way, if there is one, and then end.

        Returns at once. A snapshot is saved then; the job is paused, or the server is closing.
        """

    def close(self) -> None:
        """Free everything at once, such as a child process; `steps` ends, or raises, without delay.

        The job is cancelled, or the run has ended, well or not: this is always called at the end.
        It may come at any moment, and more than once.
        """


class Trainer(Protocol):
    """A trainer of some base models. Several threads may call it at once."""

    def models(self) -> Sequence[str]:
        """Return the names of the base models that it can train; always the same."""

    def resolve(
        self, method: str, hyperparameters: Mapping[str, Any], model: str, examples: int
    ) -> dict[str, Any]:
        """Return all hyperparameters of a method, with a value where one is missing or ``"auto"``.

        Args:
            method: ``supervised``, ``dpo`` or ``reinforcement``.
            hyperparameters: As the request had them.
            model: The name of the base model.
            examples: How many examples the training file has.

        Raises:
            TrainingError: The model cannot be trained so; the job fails before it is queued.
        """

    def start(self, task: TrainingTask) -> Training:
        """Begin a run. What takes long, such as loading a model, is for `Training.steps`."""

    def resume(self, task: TrainingTask, snapshot: Path) -> Training:
        """Resume a run from the directory that `Training.save_snapshot` wrote; it stays as it is."""

    def close(self) -> None:
        """Free what all runs share; the server is closing, and every run has been closed."""
