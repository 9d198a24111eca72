"""The protocol of a trainer, and the values that pass between the server and a trainer.

What is large passes as a path: training files, models, snapshots. So a trainer may do its work in
another process, and the server holds no model in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from finetune_client.grading import PythonLimits

__all__ = [
    "GenerateRequest",
    "GenerationError",
    "Notice",
    "Piece",
    "Step",
    "Trainer",
    "Training",
    "TrainingError",
    "TrainingTask",
]


class TrainingError(Exception):
    """Training cannot continue; the job fails with `code` and the message."""

    def __init__(self, message: str, *, code: str = "training_failed") -> None:
        super().__init__(message)
        self.code = code


class GenerationError(Exception):
    """A model cannot answer, or cannot finish its answer.

    Attributes:
        code: The ``code`` of the API's error, such as ``context_length_exceeded``.
        param: The parameter of the request that is at fault, such as ``messages``: the request is
            refused with the status 400. `None` if the request is not at fault: 500.
    """

    def __init__(
        self, message: str, *, code: str = "server_error", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


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
        grader: For ``reinforcement``: the grader as the API has it, an object. One that the server
            does not run was refused, so the code of a python grader may be run.
        parent: The directory of the tuned model to start from, as `Training.save_model` wrote it;
            `None` for a base model.
        directory: The job's own directory, the same for `Trainer.start` and `Trainer.resume`. A
            trainer may keep what it likes in it, such as checkpoints; it is removed when the job has
            ended. The end of what it appends to ``log.txt`` there stays, for ``finetune logs``.
        python_limits: What each call of a python grader may use.
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
    python_limits: PythonLimits = field(default_factory=PythonLimits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What a user should know; the job has an event for it.

    Attributes:
        message: Whole sentences.
        level: ``warn`` for what may need a remedy, such as examples that are cut short.
        data: The same for programs; the event's ``data``.
    """

    message: str
    level: Literal["info", "warn"] = "info"
    data: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerateRequest:
    """What a model is asked for: a chat completion, whose settings have been checked.

    https://developers.openai.com/api/reference

    Attributes:
        messages: The conversation as the API has it, one message or more. The content of a message
            is a text, a list of parts with texts, or `None`.
        tools: The tools that the model may call, as the API has them.
        max_tokens: The most tokens of one answer, above 0; `None` for as many as there is room for.
            If the model has room for fewer, the answer ends there.
        temperature: From 0 to 2; 0 takes the likeliest token each time.
        top_p: From 0 to 1: the share of probability, of the likeliest tokens, that is sampled from.
        seed: The same one gives the same answers; `None` for other answers each time.
        n: How many answers; with the same seed the first is the same as with an ``n`` of 1.
        stop: Texts, none of them empty, each of which ends an answer and is not part of it.
    """

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    n: int = 1
    stop: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of one of the answers that were asked for.

    Attributes:
        index: Which of the answers, counted from 0.
        text: What comes next in it; may be empty.
        tool_calls: Calls that come next in it, each whole: its ``name``, and its ``arguments`` as
            text. They are not in `text` too.
        finish_reason: Of the last piece of an answer: ``stop``, ``length`` or ``tool_calls``.
        prompt_tokens: Of the last piece of an answer: the tokens of the conversation.
        completion_tokens: Of the last piece of an answer: the tokens that were generated for it.
    """

    index: int = 0
    text: str = ""
    tool_calls: Sequence[Mapping[str, str]] = ()
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Training(Protocol):
    """One run. One thread iterates over `steps` and saves; `stop` and `close` may come from others.

    Attributes:
        total_steps: How many steps the run has; known once the first step has been yielded.
    """

    total_steps: int

    def steps(self) -> Iterator[Step | Notice]:
        """Train until the run is done, and yield each step; called once.

        It may block for as long as a step takes, and yield steps that another process has made.
        Between them it may yield notices, each as soon as it is known; a job's users are told once
        of those with the same message.

        Raises:
            TrainingError: It cannot continue.
        """

    def save_model(self, directory: Path) -> None:
        """Write the model into an empty directory; a later task can start from it.

        Called only after a step with `Step.checkpoint`, before the next one is asked for, and
        after `steps` has ended; there it is called twice if the last step was not a checkpoint. What is written is the model as it is after the step that was
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
    """A trainer of some base models, which answers with them too.

    Several threads may call it at once.
    """

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

    def generate(
        self, model: str, directory: Path | None, request: GenerateRequest
    ) -> Iterator[Piece]:
        """Answer a conversation, and yield the answers piece by piece.

        Each answer has one last piece, with a `Piece.finish_reason`; the pieces of several answers
        may alternate. Text is yielded as soon as no later token can change it, so that it can be
        streamed. The server iterates in the thread of one request, and calls the iterator's
        ``close()`` if nobody wants the rest of it. It limits how many requests it has at once, not
        how many of them call this at once: a trainer that can answer only one at a time lets the
        others wait.

        Args:
            model: The name of the base model.
            directory: The directory of the tuned model, as `Training.save_model` wrote it; `None`
                for the base model itself. It may be removed as soon as the first piece has been
                yielded.
            request: What is asked for.

        Raises:
            GenerationError: There is no answer, or it cannot be finished. Raised before the first
                piece, it becomes an error response; later, the last event of a stream.
        """

    def close(self) -> None:
        """Free what all runs share; the server is closing, and every run has been closed.

        An answer that is being generated ends, or `generate` raises, without delay.
        """
