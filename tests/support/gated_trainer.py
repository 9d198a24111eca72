"""A trainer whose steps a test lets pass one by one, and which notes what it is asked to do."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from finetune_client.local import Notice, Piece, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from finetune_client.local import GenerateRequest, TrainingTask

__all__ = ["GatedTrainer", "GatedTraining"]


class GatedTrainer:
    """Every other step is a checkpoint; a step begins when `let` allows it.

    It answers with the pieces in `pieces`, where an exception is raised and a function called.
    """

    def __init__(self, total_steps: int = 6, *names: str) -> None:
        self.total_steps = total_steps
        self.names = names or ("tiny",)
        self.notices: tuple[Notice, ...] = ()
        self.allowed = threading.Semaphore(0)
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.tasks: list[TrainingTask] = []
        self.resumed_at: list[int] = []
        self.pieces: list[Piece | Exception | Callable[[], object]] = []
        self.asked: list[tuple[str, Path | None, GenerateRequest]] = []

    def let(self, steps: int) -> None:
        """Let so many further steps pass."""
        self.allowed.release(steps)

    def next(self) -> str:
        """What it was asked to do next; waits for that."""
        return self.told.get(timeout=10)

    def models(self) -> tuple[str, ...]:
        return self.names

    def resolve(
        self, method: str, hyperparameters: Mapping[str, Any], model: str, examples: int
    ) -> dict[str, Any]:
        self.told.put(f"resolve {method} {dict(hyperparameters)} {model} {examples}")
        return {"n_epochs": 1, "batch_size": 1, "learning_rate_multiplier": 1.0}

    def start(self, task: TrainingTask) -> GatedTraining:
        return GatedTraining(self, task, 0)

    def resume(self, task: TrainingTask, snapshot: Path) -> GatedTraining:
        return GatedTraining(self, task, int((snapshot / "step").read_text(encoding="utf-8")))

    def generate(
        self, model: str, directory: Path | None, request: GenerateRequest
    ) -> Iterator[Piece]:
        self.asked.append((model, directory, request))
        try:
            for one in self.pieces:
                if isinstance(one, Piece):
                    yield one
                elif isinstance(one, Exception):
                    raise one
                else:
                    one()
        finally:
            self.told.put("answered")

    def close(self) -> None:
        self.told.put("close trainer")


class GatedTraining:
    """A run. `stop` lets the step that is under way be made; `close` does not."""

    def __init__(self, trainer: GatedTrainer, task: TrainingTask, done: int) -> None:
        trainer.tasks.append(task)
        trainer.told.put(f"begin after {done}")
        self._trainer = trainer
        self._done = done
        self._ending = threading.Event()
        self._closed = threading.Event()
        self.total_steps = trainer.total_steps

    def steps(self) -> Iterator[Step | Notice]:
        yield from self._trainer.notices
        while self._done < self.total_steps and not self._ending.is_set():
            self._trainer.told.put(f"step {self._done + 1}")
            while not self._trainer.allowed.acquire(timeout=0.01):
                if self._closed.is_set():
                    return
            self._done += 1
            yield Step(
                number=self._done,
                metrics={"train_loss": 1 / self._done},
                tokens=10,
                checkpoint=self._done % 2 == 0,
            )

    def save_model(self, directory: Path) -> None:
        self._trainer.told.put(f"model {self._done}")
        (directory / "step").write_text(str(self._done), encoding="utf-8")

    def save_snapshot(self, directory: Path) -> None:
        self._trainer.told.put(f"snapshot {self._done}")
        (directory / "step").write_text(str(self._done), encoding="utf-8")

    def stop(self) -> None:
        self._trainer.told.put("stop")
        self._ending.set()

    def close(self) -> None:
        self._trainer.told.put("close")
        self._ending.set()
        self._closed.set()
