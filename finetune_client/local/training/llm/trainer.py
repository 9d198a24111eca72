"""The server's side of training real models: it starts processes, and follows what they write.

Only those processes import torch; `docs/own-models.md` says what they do.
"""

from __future__ import annotations

import logging
import secrets
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from finetune_client.file_lock import LockFile
from finetune_client.local.storage.directories import link, remove_directory
from finetune_client.local.storage.job_logs import LOG_FILE
from finetune_client.local.training.llm import options as llm_options
from finetune_client.local.training.llm.generator import Generator
from finetune_client.local.training.llm.gpus import GpuPool, visible_gpus
from finetune_client.local.training.llm.processes import (
    ChildProcess,
    Launch,
    check_installed,
)
from finetune_client.local.training.llm.run_directory import RunDirectory, RunLog
from finetune_client.local.training.llm.sources import Source
from finetune_client.local.training.trainer import Notice, Step, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from finetune_client.local.training.trainer import GenerateRequest, Piece, TrainingTask

__all__ = ["LlmTrainer", "LlmTraining"]

_log = logging.getLogger("finetune_client.local")

_CHILD = "finetune_client.local.training.llm.child"
_POLL_SECONDS = 0.1
_RESUMING = (
    *("optimizer", "scheduler", "scaler", "rng_state", "trainer_state", "training_args"),
    "pytorch_model_fsdp",
    *("latest", "zero_to_"),  # DeepSpeed's, whose shards are in a folder
)
"""How the names begin of what a checkpoint holds beside the model."""


class LlmTrainer:
    """Trains causal language models of transformers; implements `Trainer`.

    Args:
        base_models: What can be trained: the names that jobs use, each with a directory that holds
            safetensors or a GGUF file, a GGUF file, or the id of a repository of the hub.
        cache: The directory where GGUF files are converted to, once.
        processes: How many processes train a job together on this machine.
        accelerate_config: A config file of accelerate, for several machines or sharding; it says
            how many processes there are.
        launcher: A command before all others, such as ``srun`` and its options.
        gpus_per_job: How many GPUs each job has for itself; jobs wait for theirs. Without it every
            job may use all.
        options: The other attributes of `Options`.

    Raises:
        ValueError: A base model does not exist, or is not safe to use, or there are too few GPUs.
    """

    def __init__(
        self,
        base_models: Mapping[str, str | Path],
        *,
        cache: Path,
        processes: int = 1,
        accelerate_config: Path | None = None,
        launcher: Sequence[str] = (),
        gpus_per_job: int | None = None,
        **options: Any,
    ) -> None:
        self._sources = {name: Source.find(given) for name, given in base_models.items()}
        self._cache = cache.resolve()
        self._options = llm_options.Options(**options)
        self._launch = Launch(
            processes=processes,
            accelerate_config=accelerate_config and accelerate_config.resolve(),
            launcher=tuple(launcher),
            threads=self._options.threads,
        )
        self._gpus = None if gpus_per_job is None else GpuPool(visible_gpus(), gpus_per_job)
        self._generator = Generator(
            self._cache, dtype=self._options.dtype, threads=self._options.threads
        )

    def models(self) -> tuple[str, ...]:
        """See `Trainer.models`."""
        return tuple(self._sources)

    def resolve(
        self, method: str, hyperparameters: Mapping[str, Any], model: str, examples: int
    ) -> dict[str, Any]:
        """See `Trainer.resolve`."""
        self._source(model)
        return llm_options.resolve(method, hyperparameters, examples)

    def start(self, task: TrainingTask) -> LlmTraining:
        """See `Trainer.start`."""
        return self._training(task, None)

    def resume(self, task: TrainingTask, snapshot: Path) -> LlmTraining:
        """See `Trainer.resume`."""
        return self._training(task, snapshot)

    def _training(self, task: TrainingTask, snapshot: Path | None) -> LlmTraining:
        # A model that was loaded to answer makes room for one that is trained.
        release = self._generator.release
        return LlmTraining(
            self._launch,
            self._described(task),
            task.directory.resolve(),
            snapshot and snapshot.resolve(),
            gpus=self._gpus,
            before_start=release,
        )

    def generate(
        self, model: str, directory: Path | None, request: GenerateRequest
    ) -> Iterator[Piece]:
        """See `Trainer.generate`; one process answers, and keeps the last model loaded."""
        return self._generator.generate(self._sources[model], directory, request)

    def close(self) -> None:
        """See `Trainer.close`."""
        self._generator.close()

    def _source(self, model: str) -> Source:
        source = self._sources.get(model)
        if source is None:
            known = ", ".join(self._sources) or "none"
            message = f"This server cannot train the model '{model}'; it has: {known}."
            raise TrainingError(message, code="model_not_found")
        return source

    def _described(self, task: TrainingTask) -> dict[str, Any]:
        """Return a task as JSON has it, with what the processes need to know beside it."""
        return {
            "method": task.method,
            "base": task.base,
            "source": asdict(self._source(task.base)),
            "cache": str(self._cache),
            "training_file": str(task.training_file.resolve()),
            "validation_file": task.validation_file and str(task.validation_file.resolve()),
            "hyperparameters": dict(task.hyperparameters),
            "seed": task.seed,
            "grader": task.grader,
            "python_limits": task.python_limits.to_dict(),
            "parent": task.parent and str(task.parent.resolve()),
            "options": self._options.to_dict(),
        }


class LlmTraining:
    """One run; implements `Training`.

    Args:
        launch: How processes are started.
        task: What they do.
        directory: The job's directory, in which the run has its own.
        snapshot: From where to resume; `None` to begin.
        gpus: Where the run gets GPUs of its own; `None` if it may use all.
        before_start: Called before the processes are started.

    Attributes:
        processes: How many processes train; known once the first step is yielded.
    """

    def __init__(
        self,
        launch: Launch,
        task: Mapping[str, Any],
        directory: Path,
        snapshot: Path | None,
        *,
        gpus: GpuPool | None,
        before_start: Callable[[], None],
    ) -> None:
        self.total_steps = 0
        self.processes = 0
        self._launch = launch
        self._task = {**task, "resume_from": None if snapshot is None else str(snapshot)}
        self._directory = directory
        self._log = RunLog(directory / LOG_FILE)
        self._gpus = gpus
        self._before_start = before_start
        self._checkpoint = snapshot
        self._run: RunDirectory | None = None
        self._process: ChildProcess | None = None
        self._lock = threading.Lock()
        self._is_stopped = False
        self._closed = threading.Event()

    def steps(self) -> Iterator[Step | Notice]:
        """See `Training.steps`."""
        gpus = [] if self._gpus is None else self._gpus.take(self._is_given_up)
        try:
            started = self._start(gpus)
            if started is not None:
                run, process = started
                for event in self._events(run, process):
                    if event["event"] == "step":
                        yield self._step(run, event)
                    elif event["event"] == "notice":
                        yield Notice(
                            message=event["message"], level=event["level"], data=event["data"]
                        )
        finally:
            self.close()
            if self._gpus is not None:
                self._gpus.give_back(gpus)

    def _is_given_up(self) -> bool:
        return self._is_stopped or self._closed.is_set()

    def _start(self, gpus: Sequence[str]) -> tuple[RunDirectory, ChildProcess] | None:
        """Start the processes, in a directory that no process of an earlier run knows."""
        self._before_start()
        with self._lock:
            if self._is_given_up():
                return None
            for earlier in self._directory.glob("run-*"):
                remove_directory(earlier)
            run = RunDirectory(self._directory / f"run-{secrets.token_hex(8)}")
            run.path.mkdir(mode=0o700, parents=True)
            run.write_task(self._task)
            check_installed()
            owner = LockFile(run.owner)
            try:
                owner.acquire()
            except OSError:
                _log.debug("No locks in %s; processes watch their parent alone.", run.path)
                run.owner.touch()
            self._process = self._launch.start(_CHILD, run.path, self._log.path, owner, gpus)
            self._run = run
            return run, self._process

    def _events(self, run: RunDirectory, process: ChildProcess) -> Iterator[Mapping[str, Any]]:
        """Yield events until the processes say that they have done; raise if they fail."""
        reader = run.events()
        while not self._closed.is_set():
            has_ended = process.has_ended()  # before the last look at the events
            for event in reader.read():
                if self._closed.is_set() or event["event"] in {"finished", "paused"}:
                    return
                if event["event"] == "error":
                    raise TrainingError(event["message"], code=event["code"])
                if event["event"] == "started":
                    self._begin(event)
                yield event
            if has_ended:
                raise self._death(process)
            self._closed.wait(_POLL_SECONDS)

    def _begin(self, started: Mapping[str, Any]) -> None:
        with self._lock:
            self.total_steps, self.processes = started["total_steps"], started["processes"]
            if self._is_stopped and self._run is not None:
                self._run.request_pause()

    def _step(self, run: RunDirectory, event: Mapping[str, Any]) -> Step:
        number = event["number"]
        if run.checkpoint(number).exists():
            if self._checkpoint is not None and self._checkpoint.parent == run.checkpoints:
                remove_directory(self._checkpoint)
            self._checkpoint = run.checkpoint(number)
        return Step(
            number=number,
            metrics=event["metrics"],
            tokens=event["tokens"],
            checkpoint=event["checkpoint"],
        )

    def _death(self, process: ChildProcess) -> TrainingError:
        lines = self._log.last_lines()
        message = (
            f"The process that trained ended without a word ({process.ending()}). "
            "Create the job again; if that was memory, with a smaller batch_size, shorter examples "
            "or an adapter instead of all weights."
        )
        if lines:
            message += f" The last lines of its log:\n{lines}"
        return TrainingError(message, code="trainer_died")

    def save_model(self, directory: Path) -> None:
        """See `Training.save_model`."""
        checkpoint = self._saved()
        for path in sorted(checkpoint.iterdir()):
            if path.is_file() and not path.name.startswith(_RESUMING):
                link(path, directory / path.name)

    def save_snapshot(self, directory: Path) -> None:
        """See `Training.save_snapshot`."""
        for path in sorted(self._saved().iterdir()):
            link(path, directory / path.name)

    def _saved(self) -> Path:
        if self._checkpoint is None or not self._checkpoint.exists():
            raise TrainingError("The model was not written to the disk.", code="trainer_died")
        return self._checkpoint

    def stop(self) -> None:
        """See `Training.stop`; processes that are still loading the model have nothing to save."""
        with self._lock:
            self._is_stopped = True
            if self._run is not None and self.total_steps:
                self._run.request_pause()
                return
        if self._run is not None:
            self.close()

    def close(self) -> None:
        """See `Training.close`."""
        self._closed.set()
        with self._lock:
            if self._run is not None:
                self._run.request_cancel()
            if self._process is not None:
                self._process.kill()
