"""Running jobs: each is checked, queued, trained and finished."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from finetune_client.grading import run_grader
from finetune_client.local.training.bigram.examples import ExampleFiles
from finetune_client.local.training.job import FINAL_STATUSES
from finetune_client.local.training.job_queue import JobQueue
from finetune_client.local.training.trainer import TrainingError, TrainingTask
from finetune_client.local.training.validation import InterruptedCheckError, check_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from finetune_client.local.api.files import Files
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State
    from finetune_client.local.training.job import TrainingJob
    from finetune_client.local.training.trainer import Example, Step, Trainer, Training

__all__ = ["Runner"]

_MAX_CHECKPOINTS = 3
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
    """Runs jobs from their creation to their end, in threads of its own.

    Args:
        state: What the server's parts share.
        files: Where training files are read and result files are added.
        models: Where tuned models are read and added.
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
        self._check_queue = JobQueue("check", self._check, 1)
        self._train_queue = JobQueue("train", self._train, workers)

    def submit(self, job: TrainingJob) -> None:
        """Check the files of a new job, then queue and train it."""
        self._put(self._check_queue, job)

    def resume(self, job: TrainingJob) -> None:
        """Resume a queued job, or start it if it has not been trained yet."""
        self._put(self._check_queue if job.task is None else self._train_queue, job)

    def _put(self, jobs: JobQueue, job: TrainingJob) -> None:
        with self._state.lock:
            if not self._closed:
                jobs.put(job)

    def _check(self, job: TrainingJob) -> None:
        if self._closed:
            return
        try:
            if job.status == "validating_files":
                job.add_event(_validating_message(job.wire))
                error = check_files(self._files, job.wire, lambda: self._closed)
                if error is not None:
                    job.fail(**error)
                    return
            self._queue(job, self._task(job))
        except InterruptedCheckError:
            return
        except FileNotFoundError:
            job.fail("invalid_training_file", "A file of the job was deleted before it started.")

    def _task(self, job: TrainingJob) -> TrainingTask:
        wire, settings = job.wire, job.wire["method"][job.method]
        weights = self._models.weights(wire["model"])
        if weights is None and wire["model"] != job.base:
            message = f"The model '{wire['model']}', which the job starts from, was deleted."
            raise TrainingError(message, code="model_not_found")
        examples = self._read_examples(wire["training_file"], job.method)
        validation_file = wire["validation_file"]
        grader = settings.get("grader")
        given = settings.get("hyperparameters", {})
        return TrainingTask(
            method=job.method,
            model=wire["model"],
            examples=examples,
            validation=self._read_examples(validation_file, job.method) if validation_file else (),
            hyperparameters=self._trainer.resolve(job.method, given, len(examples)),
            seed=wire["seed"],
            weights=weights,
            grade=None
            if grader is None
            else lambda text, line: run_grader(grader, text, line).reward,
        )

    def _read_examples(self, file_id: str, method: str) -> list[Example]:
        return self._examples.read(self._files.path(file_id), method)

    def _queue(self, job: TrainingJob, task: TrainingTask) -> None:
        settings = dict(task.hyperparameters)
        common = {name: settings[name] for name in job.wire["hyperparameters"]}
        of_method = {**job.wire["method"][job.method], "hyperparameters": settings}
        with self._state.lock:
            if job.status in FINAL_STATUSES:
                return
            job.task = task
            job.transition(
                "validating_files",
                "queued",
                "Files validated, moving job to queued state",
                hyperparameters=common,
                method={"type": job.method, job.method: of_method},
            )
            if job.status == "queued":
                self._put(self._train_queue, job)

    def _train(self, job: TrainingJob) -> None:
        verb = "started" if job.snapshot is None else "resumed"
        message = f"Fine-tuning job {verb}"
        with self._state.lock:
            task = job.task
            if self._closed or task is None:
                return
            if not job.transition("queued", "running", message):
                return
        training = self._begin(job, task)
        for step in training.steps():
            if self._must_stop_after(step, job, training):
                self._stop(job, training)
                return
        self._finish(job, training)

    def _begin(self, job: TrainingJob, task: TrainingTask) -> Training:
        if job.snapshot is None:
            return self._trainer.start(task)
        return self._trainer.resume(task, self._state.store.path(job.snapshot).read_bytes())

    def _must_stop_after(self, step: Step, job: TrainingJob, training: Training) -> bool:
        """Add a step to the job, and return whether training must stop."""
        with self._state.lock:
            if job.status in FINAL_STATUSES:
                return True
            job.add_step(step, training.total_steps)
            if step.checkpoint:
                self._add_checkpoint(job, training, step)
        return job.stop.wait(self._step_seconds)

    def _stop(self, job: TrainingJob, training: Training) -> None:
        with self._state.lock:
            if job.status in FINAL_STATUSES:
                return
            job.save_snapshot(training.snapshot())
            if not job.transition("pausing", "paused", "The job was paused."):
                message = "The server was stopped; the job will resume when it starts again."
                job.set_status("queued", message)

    def _model_name(self, job: TrainingJob) -> str:
        suffix = job.wire["user_provided_suffix"] or ""
        return f"ft:{job.base}:local:{suffix}:{job.id[-8:]}"

    def _add_checkpoint(self, job: TrainingJob, training: Training, step: Step) -> None:
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
        while len(job.checkpoints) > _MAX_CHECKPOINTS:
            self._models.remove(job.checkpoints.pop(0)["fine_tuned_model_checkpoint"])
        job.add_event(f"Checkpoint created at step {step.number}")
        job.save()

    def _finish(self, job: TrainingJob, training: Training) -> None:
        name = self._model_name(job)
        with self._state.lock:
            if job.status in FINAL_STATUSES:
                return
            if job.status == "pausing":
                self._stop(job, training)
                return
            self._models.add(name, job.base, training.model())
            columns = _REWARD_COLUMNS if job.method == "reinforcement" else _COLUMNS
            table = _to_csv(job.metrics(), columns)
            blob = self._state.store.put(table)
            result = self._files.add(
                blob, len(table), "step_metrics.csv", purpose="fine-tune-results"
            )
            job.add_event(f"New fine-tuned model created: {name}")
            job.drop_snapshot()
            job.set_status(
                "succeeded",
                "The job has successfully completed",
                fine_tuned_model=name,
                result_files=[result["id"]],
                trained_tokens=job.tokens,
            )

    def close(self, jobs: Iterable[TrainingJob]) -> None:
        """Stop the training of ``jobs`` at the next step, and end the threads."""
        with self._state.lock:
            self._closed = True
            for job in jobs:
                job.stop.set()
        self._check_queue.close()
        self._train_queue.close()


def _validating_message(wire: Mapping[str, Any]) -> str:
    message = f"Validating training file: {wire['training_file']}"
    if wire["validation_file"] is None:
        return message
    return f"{message} and validation file: {wire['validation_file']}"


def _to_csv(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Return the result file: a line for each step, empty where nothing was measured."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns.values()] for row in rows)
    return text.getvalue().encode()
