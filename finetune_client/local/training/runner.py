"""What brings a job from its creation to its end."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from finetune_client.grading import run_grader
from finetune_client.local.http.errors import WireError
from finetune_client.local.training.examples import ExampleFiles
from finetune_client.local.training.job import ENDED
from finetune_client.local.training.job_queue import Lane
from finetune_client.local.training.trainer import TrainingError, TrainingTask
from finetune_client.local.training.validation import InterruptedCheckError, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from finetune_client.local.api.files import Files
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State
    from finetune_client.local.training.job import Job
    from finetune_client.local.training.trainer import Step, Trainer, Training

__all__ = ["Runner"]

_KEPT_CHECKPOINTS = 3
_COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_mean_token_accuracy",
}
_REWARD_COLUMNS = {
    "step": "step",
    "train_mean_reward": "train_mean_reward",
    "full_valid_mean_reward": "full_valid_mean_reward",
}


class Runner:
    """Brings each job from its creation to its end.

    Args:
        state: What the server's parts share.
        files: Where training files come from and result files go.
        models: Where tuned models go.
        trainer: What trains.
        step_seconds: How long to wait after each step, so that there is time to watch.
        workers: How many jobs train at once; the others are queued.
    """

    def __init__(
        self,
        state: State,
        files: Files,
        models: Models,
        trainer: Trainer,
        *,
        step_seconds: float,
        workers: int,
    ) -> None:
        self._state = state
        self._files = files
        self._models = models
        self._trainer = trainer
        self._examples = ExampleFiles()
        self._step_seconds = step_seconds
        self._closed = False
        self._checking = Lane("check", self._check, 1)
        self._training = Lane("train", self._train, workers)

    def submit(self, job: Job) -> None:
        """Take a new job: its files are checked, then it is queued and trained."""
        self._put(self._checking, job)

    def resume(self, job: Job) -> None:
        """Take a queued job whose training is to go on, or to start."""
        self._put(self._checking if job.task is None else self._training, job)

    def _put(self, lane: Lane, job: Job) -> None:
        with self._state.lock:
            if not self._closed:
                lane.put(job)

    def _check(self, job: Job) -> None:
        if self._closed:
            return
        fresh = job.status == "validating_files"
        if fresh:
            job.event(_validating(job.wire))
        try:
            wrong = problem(self._files, job.wire, lambda: self._closed) if fresh else None
            if wrong is None:
                self._queue(job, self._task(job))
            else:
                job.fail(**wrong)
        except InterruptedCheckError:
            return
        except (FileNotFoundError, WireError):
            job.fail("invalid_training_file", "A file of the job was deleted before it started.")

    def _task(self, job: Job) -> TrainingTask:
        wire, settings = job.wire, job.wire["method"][job.method]
        weights = self._models.weights(wire["model"])
        if weights is None and wire["model"] != job.base:
            told = f"The model '{wire['model']}', which the job starts from, was deleted."
            raise TrainingError(told, code="model_not_found")
        examples = self._examples.read(self._files.path(wire["training_file"]), job.method)
        checked = wire["validation_file"]
        grader = settings.get("grader")
        given = settings.get("hyperparameters", {})
        return TrainingTask(
            method=job.method,
            model=wire["model"],
            examples=examples,
            validation=self._examples.read(self._files.path(checked), job.method)
            if checked
            else (),
            hyperparameters=self._trainer.resolve(job.method, given, len(examples)),
            seed=wire["seed"],
            weights=weights,
            grade=None
            if grader is None
            else lambda text, line: run_grader(grader, text, line).reward,
        )

    def _queue(self, job: Job, task: TrainingTask) -> None:
        settings = dict(task.hyperparameters)
        common = {name: settings[name] for name in job.wire["hyperparameters"]}
        own = {**job.wire["method"][job.method], "hyperparameters": settings}
        with self._state.lock:
            if job.status in ENDED:
                return
            job.task = task
            job.move(
                ("validating_files",),
                "queued",
                "Files validated, moving job to queued state",
                hyperparameters=common,
                method={"type": job.method, job.method: own},
            )
            if job.status == "queued":
                self._put(self._training, job)

    def _train(self, job: Job) -> None:
        told = "Fine-tuning job started" if job.snapshot is None else "Fine-tuning job resumed"
        with self._state.lock:
            task = job.task
            if self._closed or task is None or not job.move(("queued",), "running", told):
                return
        training = self._begin(job, task)
        for step in training.steps():
            if self._after(job, training, step):
                self._halt(job, training)
                return
        self._finish(job, training)

    def _begin(self, job: Job, task: TrainingTask) -> Training:
        if job.snapshot is None:
            return self._trainer.start(task)
        return self._trainer.resume(task, self._state.store.path(job.snapshot).read_bytes())

    def _after(self, job: Job, training: Training, step: Step) -> bool:
        """Tell what a step gave, and say whether training is to stop."""
        with self._state.lock:
            if job.status in ENDED:
                return True
            job.step(step, training.total_steps)
            if step.checkpoint:
                self._checkpoint(job, training, step)
        return job.stop.wait(self._step_seconds)

    def _halt(self, job: Job, training: Training) -> None:
        with self._state.lock:
            if job.status in ENDED:
                return
            job.keep_snapshot(training.snapshot())
            if not job.move(("pausing",), "paused", "The job was paused."):
                job.become("queued", "The server was stopped; the job goes on when it starts.")

    def _model_name(self, job: Job) -> str:
        suffix = job.wire["user_provided_suffix"] or ""
        return f"ft:{job.base}:local:{suffix}:{job.id[-8:]}"

    def _checkpoint(self, job: Job, training: Training, step: Step) -> None:
        name = f"{self._model_name(job)}:ckpt-step-{step.number}"
        self._models.add(name, job.base, training.model())
        job.checkpoints.append(
            {
                "object": "fine_tuning.job.checkpoint",
                "id": self._state.new_id("ftckpt_"),
                "created_at": self._state.now(),
                "fine_tuned_model_checkpoint": name,
                "step_number": step.number,
                "metrics": {"step": step.number, **step.metrics},
                "fine_tuning_job_id": job.id,
            }
        )
        while len(job.checkpoints) > _KEPT_CHECKPOINTS:
            self._models.remove(job.checkpoints.pop(0)["fine_tuned_model_checkpoint"])
        job.event(f"Checkpoint created at step {step.number}")
        job.save()

    def _finish(self, job: Job, training: Training) -> None:
        name = self._model_name(job)
        with self._state.lock:
            if job.status in ENDED:
                return
            if job.status == "pausing":
                self._halt(job, training)
                return
            self._models.add(name, job.base, training.model())
            columns = _REWARD_COLUMNS if job.method == "reinforcement" else _COLUMNS
            table = _table(job.metrics(), columns)
            blob = self._state.store.put(table)
            result = self._files.add(
                blob, len(table), "step_metrics.csv", purpose="fine-tune-results"
            )
            job.event(f"New fine-tuned model created: {name}")
            job.forget_snapshot()
            job.become(
                "succeeded",
                "The job has successfully completed",
                fine_tuned_model=name,
                result_files=[result["id"]],
                trained_tokens=job.tokens,
            )

    def close(self, jobs: Iterable[Job]) -> None:
        """Stop the training of ``jobs`` at its next step, and end the threads."""
        with self._state.lock:
            self._closed = True
            for job in jobs:
                job.stop.set()
        self._checking.close()
        self._training.close()


def _validating(wire: Mapping[str, Any]) -> str:
    message = f"Validating training file: {wire['training_file']}"
    if wire["validation_file"] is None:
        return message
    return f"{message} and validation file: {wire['validation_file']}"


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Write the result file: a line for each step, empty where nothing was measured."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([row.get(name, "") for name in columns.values()] for row in rows)
    return text.getvalue().encode()
