"""What the server asks of whatever trains: a small protocol, so that a real trainer can come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Example", "Step", "Trainer", "Training", "TrainingError", "TrainingTask"]


class TrainingError(Exception):
    """Training cannot go on; the job fails with `code` and the message."""

    def __init__(self, message: str, *, code: str = "training_failed") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One line of a training file, ready to be learned from.

    Attributes:
        texts: What the assistant is to say; for ``dpo`` the preferred output.
        rejected: For ``dpo`` the output that is not preferred.
        line: The whole line as it was read, for trainers that want the prompt too; it is what
            graders see as ``item``.
    """

    texts: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    line: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingTask:
    """All that a training run depends on: the same task gives the same numbers.

    Attributes:
        method: ``supervised``, ``dpo`` or ``reinforcement``.
        model: The name of the model to start from.
        weights: That model as `Training.model()` gave it; `None` for a base model.
        examples: The training file.
        validation: The validation file; empty without one.
        hyperparameters: As `Trainer.resolve` gave them.
        seed: Where all chance comes from.
        grade: For ``reinforcement``: the reward of a sampled text for a line.
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
    """What one step of training gave.

    Attributes:
        number: Counted from 1 over the whole run.
        metrics: What was measured, under the wire's names (``train_loss`` ...).
        tokens: How many tokens were trained on in this step.
        checkpoint: The model as it is now is to be kept as a checkpoint.
    """

    number: int
    metrics: Mapping[str, float]
    tokens: int
    checkpoint: bool = False


class Training(Protocol):
    """One run, which advances a step each time its iterator is asked for the next.

    Cancelling, pausing and closing the server wait for the step that is under way.
    """

    total_steps: int

    def steps(self) -> Iterator[Step]:
        """Train on from where the run stands until it is done.

        Raises:
            TrainingError: It cannot go on.
        """

    def model(self) -> bytes:
        """Give the model as it is now; a later task can start from it (`TrainingTask.weights`)."""

    def snapshot(self) -> bytes:
        """Give all that `Trainer.resume` needs to go on after the last step as if never paused."""


class Trainer(Protocol):
    """Something that trains. It may be asked from several threads at once."""

    def resolve(
        self, method: str, hyperparameters: Mapping[str, Any], examples: int
    ) -> dict[str, Any]:
        """Replace each ``"auto"``, and what is missing, by what will be used."""

    def start(self, task: TrainingTask) -> Training:
        """Begin a run."""

    def resume(self, task: TrainingTask, snapshot: bytes) -> Training:
        """Go on with a run from its snapshot."""
