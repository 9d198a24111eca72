"""The protocol of a trainer, and the values that pass between the server and a trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Example", "Step", "Trainer", "Training", "TrainingError", "TrainingTask"]


class TrainingError(Exception):
    """Training cannot continue; the job fails with `code` and the message."""

    def __init__(self, message: str, *, code: str = "training_failed") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One line of a training file, ready to be learned from.

    Attributes:
        texts: The assistant's texts, which are learned; for ``dpo`` the preferred output.
        rejected: For ``dpo`` the output that is not preferred.
        line: The whole line, for trainers that use the prompt too; graders see it as ``item``.
    """

    texts: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    line: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingTask:
    """Everything that a training run depends on: the same task yields the same numbers.

    Attributes:
        method: ``supervised``, ``dpo`` or ``reinforcement``.
        model: The name of the model to start from.
        weights: That model as `Training.model()` returned it; `None` for a base model.
        examples: The training file.
        validation: The validation file; empty without one.
        hyperparameters: As `Trainer.resolve` returned them.
        seed: The seed of all random numbers.
        grade: For ``reinforcement``: returns the reward of a sampled text for a line.
    """

    method: str
    model: str
    examples: Sequence[Example]
    hyperparameters: Mapping[str, Any]
    seed: int
    validation: Sequence[Example] = ()
    weights: bytes | None = None
    grade: Callable[[str, Mapping[str, Any]], float] | None = None


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
    """One run, which advances by a step each time its iterator is asked for the next.

    Cancelling, pausing and closing the server wait for the step that is under way.
    """

    total_steps: int

    def steps(self) -> Iterator[Step]:
        """Train until the run is done, and yield each step.

        Raises:
            TrainingError: It cannot continue.
        """

    def model(self) -> bytes:
        """Return the model as it is now; a later task can start from it (`TrainingTask.weights`)."""

    def snapshot(self) -> bytes:
        """Return what `Trainer.resume` needs to continue as if the run had never been paused."""


class Trainer(Protocol):
    """A trainer. Several threads may call it at once."""

    def resolve(
        self, method: str, hyperparameters: Mapping[str, Any], examples: int
    ) -> dict[str, Any]:
        """Return all hyperparameters of a method, with a value where one is missing or ``"auto"``."""

    def start(self, task: TrainingTask) -> Training:
        """Begin a run."""

    def resume(self, task: TrainingTask, snapshot: bytes) -> Training:
        """Resume a run from its snapshot."""
