"""The server's own trainer: it fits the bigram by minibatch gradient descent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune_client.local.training import hyperparameters
from finetune_client.local.training.bigram import model as bigram
from finetune_client.local.training.bigram.examples import ExampleFiles, text_of
from finetune_client.local.training.bigram.generation import generate
from finetune_client.local.training.bigram.objectives import (
    Objective,
    Preferences,
    Rewards,
    Supervised,
)
from finetune_client.local.training.sample_grader import SampleGrader
from finetune_client.local.training.trainer import Notice, Step, TrainingError, TrainingTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from finetune_client.local.training.bigram.examples import Example
    from finetune_client.local.training.bigram.model import Floats
    from finetune_client.local.training.trainer import GenerateRequest, Piece

__all__ = ["BigramTrainer", "BigramTraining"]

_STEP_SIZE = 0.05
_SAMPLES_PER_PROMPT = 4
_UNTRAINED_SEED = 0
"""Of the base model when it answers; each job starts from weights of its own seed."""

_MODEL = "model.npz"
_SNAPSHOT = "snapshot.npz"


class BigramTrainer:
    """Fits the byte-level bigram; implements `Trainer`."""

    def __init__(self) -> None:
        self._files = ExampleFiles()

    def models(self) -> tuple[str, ...]:
        """See `Trainer.models`."""
        return ("tiny",)

    def resolve(
        self, method: str, hyperparameters_: Mapping[str, Any], _model: str, examples: int
    ) -> dict[str, Any]:
        """See `Trainer.resolve`."""
        return hyperparameters.resolve(method, hyperparameters_, examples)

    def start(self, task: TrainingTask) -> BigramTraining:
        """See `Trainer.start`."""
        return BigramTraining(task, self._files, {})

    def resume(self, task: TrainingTask, snapshot: Path) -> BigramTraining:
        """See `Trainer.resume`."""
        return BigramTraining(task, self._files, bigram.load(snapshot / _SNAPSHOT))

    def generate(
        self, _model: str, directory: Path | None, request: GenerateRequest
    ) -> Iterator[Piece]:
        """See `Trainer.generate`; temperature 0 takes the likeliest byte after each."""
        weights = _untrained(_UNTRAINED_SEED) if directory is None else _load(directory)
        prompt = [text_of(message) for message in request.messages]
        return generate(weights, request, prompt)

    def close(self) -> None:
        """See `Trainer.close`; an answer takes a moment, so it is not interrupted."""


class BigramTraining:
    """One run; implements `Training`.

    Random numbers depend on the seed and the number of the epoch or step alone, so that a resumed
    run draws the same ones as a run that was never paused.
    """

    def __init__(self, task: TrainingTask, files: ExampleFiles, state: Mapping[str, Any]) -> None:
        settings, valid = task.hyperparameters, task.validation_file
        self._warnings: list[str] = []
        self._task = task
        self._examples = files.read(task.training_file, task.method)
        self._validation = [] if valid is None else files.read(valid, task.method)
        self._batch_size = int(settings["batch_size"])
        self._epoch_steps = -(-len(self._examples) // self._batch_size)
        self.total_steps = self._epoch_steps * int(settings["n_epochs"])
        self._done = int(state.get("step", 0))
        self._is_stopped = False
        start = _starting_weights(task)
        self._weights: Floats = state.get("weights", start)
        self._adam = bigram.Adam(_STEP_SIZE * settings["learning_rate_multiplier"], state or None)
        self._grader = None
        if task.grader is not None:
            self._grader = SampleGrader(task.grader, task.python_limits, self._warnings.append)
        self._objective = _objective(task, self._examples, self._validation, start, self._grader)

    def steps(self) -> Iterator[Step | Notice]:
        """See `Training.steps`."""
        while self._done < self.total_steps and not self._is_stopped:
            with np.errstate(over="ignore", invalid="ignore"):
                step = self._step(self._done + 1)
            while self._warnings:
                yield Notice(message=self._warnings.pop(0), level="warn")
            yield step

    def stop(self) -> None:
        """See `Training.stop`."""
        self._is_stopped = True

    def close(self) -> None:
        """See `Training.close`; what takes longer than milliseconds in a step is a grader's code."""
        self._is_stopped = True
        if self._grader is not None:
            self._grader.close()

    def _step(self, number: int) -> Step:
        rng = np.random.default_rng([self._task.seed, 1, number])
        gradient = self._objective.gradient(self._weights, self._batch_of(number), rng)
        metrics = gradient.metrics | self._valid(number, rng)
        self._weights = self._adam.update(self._weights, gradient.values)
        self._done = number
        checkpoint = number % self._epoch_steps == 0
        metrics |= self._full_valid(number, checkpoint=checkpoint)
        _refuse_divergence(metrics, self._weights, number)
        return Step(number=number, metrics=metrics, tokens=gradient.tokens, checkpoint=checkpoint)

    def _batch_of(self, number: int) -> list[int]:
        epoch, position = divmod(number - 1, self._epoch_steps)
        rng = np.random.default_rng([self._task.seed, 0, epoch])
        order = rng.permutation(len(self._examples))
        return [int(index) for index in order[position * self._batch_size :][: self._batch_size]]

    def _valid(self, number: int, rng: np.random.Generator) -> dict[str, float]:
        size = len(self._validation)
        if not size or self._task.method == "reinforcement":
            return {}
        first = (number - 1) * self._batch_size
        batch = [(first + offset) % size for offset in range(min(self._batch_size, size))]
        return self._objective.measure(self._weights, batch, rng, "valid")

    def _full_valid(self, number: int, *, checkpoint: bool) -> dict[str, float]:
        size = len(self._validation)
        every = self._task.hyperparameters.get("eval_interval")
        due = checkpoint or (every is not None and number % int(every) == 0)
        if not size or not due:
            return {}
        rng = np.random.default_rng([self._task.seed, 2, number])
        return self._objective.measure(self._weights, range(size), rng, "full_valid")

    def save_model(self, directory: Path) -> None:
        """See `Training.save_model`."""
        bigram.save({"weights": self._weights}, directory / _MODEL)

    def save_snapshot(self, directory: Path) -> None:
        """See `Training.save_snapshot`."""
        run = {"weights": self._weights, "step": np.float64(self._done)}
        bigram.save({**self._adam.state(), **run}, directory / _SNAPSHOT)


def _starting_weights(task: TrainingTask) -> Floats:
    return _untrained(task.seed) if task.parent is None else _load(task.parent)


def _load(directory: Path) -> Floats:
    return bigram.load(directory / _MODEL)["weights"]


def _untrained(seed: int) -> Floats:
    rng = np.random.default_rng([seed, 3])
    return rng.normal(0.0, 0.01, (bigram.SYMBOLS, bigram.SYMBOLS))


def _objective(
    task: TrainingTask,
    examples: Sequence[Example],
    validation: Sequence[Example],
    start: Floats,
    grader: SampleGrader | None,
) -> Objective:
    settings = task.hyperparameters
    if task.method == "dpo":
        return Preferences(examples, validation, start, float(settings["beta"]))
    if task.method == "reinforcement":
        if grader is None:
            raise TrainingError("A reinforcement job needs a grader.")
        return Rewards(
            examples,
            validation,
            grader.reward,
            samples=max(2, round(_SAMPLES_PER_PROMPT * settings["compute_multiplier"])),
            eval_samples=int(settings["eval_samples"]),
        )
    return Supervised(examples, validation)


def _refuse_divergence(metrics: Mapping[str, float], weights: Floats, number: int) -> None:
    if all(math.isfinite(value) for value in metrics.values()) and np.isfinite(weights).all():
        return
    raise TrainingError(
        f"Training diverged at step {number}: a loss or a weight is no longer a finite number. "
        "Create the job again with a smaller learning_rate_multiplier.",
        code="training_diverged",
    )
