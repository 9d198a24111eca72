"""Running jobs: each is checked, queued, trained and finished."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.grading import GraderError, PythonGraders, load_grader
from finetune_client.local.api.files import RESULTS_PURPOSE
from finetune_client.local.storage.directories import link
from finetune_client.local.storage.job_logs import TRAINER_DIRECTORY
from finetune_client.local.training.job_queue import JobQueue
from finetune_client.local.training.trainer import Notice, Step, TrainingError, TrainingTask
from finetune_client.local.training.validation import InterruptedCheckError, check_files

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from finetune_client.local.api.files import Files
    from finetune_client.local.api.models import Models
    from finetune_client.local.state import State
    from finetune_client.local.training.job import TrainingJob
    from finetune_client.local.training.trainer import Trainer, Training

__all__ = ["Runner"]

_MAX_CHECKPOINTS = 3
_CLOSE_SECONDS = 5.0
"""How long closing waits for the step that is under way, and then for a training to be closed."""
_FILES = ("training_file", "validation_file")
_PARENT = "parent"
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


@dataclass(frozen=True, slots=True)
class _TrainerQueue:
    """A trainer, and the queue of the jobs that it trains."""

    trainer: Trainer
    queue: JobQueue


class Runner:
    """Runs jobs from their creation to their end, in threads of its own.

    Args:
        state: What the server's parts share.
        files: Where training files are read and result files are added.
        models: Where tuned models are read and added.
        trainers: What trains.
        step_seconds: How long to wait after each step, so that there is time to watch.
        wait: Waits so long, or until the event is set, and returns whether it is.
        workers: How many jobs each trainer trains at once; the others are queued.
    """

    def __init__(
        self,
        state: State,
        files: Files,
        models: Models,
        trainers: Iterable[Trainer],
        *,
        step_seconds: float,
        wait: Callable[[threading.Event, float], bool],
        workers: int,
    ) -> None:
        self._state = state
        self._files = files
        self._models = models
        self._trainer_queues = [
            _TrainerQueue(trainer, JobQueue(f"train-{number}", self._train, workers))
            for number, trainer in enumerate(trainers)
        ]
        self._by_model = {
            name: one for one in self._trainer_queues for name in one.trainer.models()
        }
        self._step_seconds = step_seconds
        self._wait = wait
        self._closed = False
        self._interrupted = False
        self._check_queue = JobQueue("check", self._check, 1)

    def submit(self, job: TrainingJob) -> None:
        """Check the files of a new job, then queue and train it."""
        self._put(self._check_queue, job)

    def enqueue(self, job: TrainingJob) -> None:
        """Train a job that is queued now, from its snapshot if it has one; say where it stands."""
        with self._state.lock:
            position = self._queue_of(job).queue.position(job)
            if position:
                message = f"The job is number {position} in the queue."
                job.add_event(message, data={"queue_position": position})
            self.resume(job)

    def resume(self, job: TrainingJob) -> None:
        """Train a job that an earlier run of the server queued."""
        self._put(self._queue_of(job).queue, job)

    def _put(self, jobs: JobQueue, job: TrainingJob) -> None:
        with self._state.lock:
            if not self._closed:
                jobs.put(job)

    def _queue_of(self, job: TrainingJob) -> _TrainerQueue:
        return self._by_model[str(self._models.trained_as(job.base))]

    def _check(self, job: TrainingJob) -> None:
        if self._closed or job.has_ended:
            return
        wire, paths = job.to_dict(), {}
        for param in _FILES:
            if wire[param] is not None:
                paths[param] = _file_of(job, param)
                try:
                    link(self._files.path(wire[param]), paths[param])
                except FileNotFoundError as error:
                    job.fail(f"invalid_{param}", f"{error}.", param)
                    return
        method = wire["method"]
        try:
            examples, wrong = check_files(paths, method, lambda: self._closed)
        except InterruptedCheckError:
            return
        if wrong is not None:
            job.fail(**wrong)
            return
        kind, base = method["type"], str(self._models.trained_as(job.base))
        if kind == "reinforcement":
            try:
                with PythonGraders(self._state.limits.python_graders) as python:
                    load_grader(method[kind]["grader"], f"method.{kind}.grader", python)
            except GraderError as error:
                job.fail(error.code, error.message, error.param)
                return
        given = method[kind]["hyperparameters"]
        settings = self._queue_of(job).trainer.resolve(kind, given, base, examples)
        self._link_parent(job, wire["model"])
        common = {name: settings[name] for name in wire["hyperparameters"]}
        of_method = {**method[kind], "hyperparameters": dict(settings)}
        with self._state.lock:
            if job.transition(
                "validating_files",
                "queued",
                "Files validated, moving job to queued state",
                hyperparameters=common,
                method={"type": kind, kind: of_method},
            ):
                self.enqueue(job)

    def _link_parent(self, job: TrainingJob, name: str) -> None:
        target = job.directory / _PARENT
        if name == job.base or target.exists():
            return
        try:
            link(self._models.path(name), target)
        except FileNotFoundError:
            message = f"The model '{name}', which the job starts from, was deleted."
            raise TrainingError(message, code="model_not_found") from None

    def _train(self, job: TrainingJob) -> None:
        verb = "resumed" if job.step else "started"
        if self._closed or not job.transition("queued", "running", f"Fine-tuning job {verb}"):
            return
        training = self._begin(job)
        try:
            with self._state.lock:
                job.training = training
            if job.has_ended:
                return
            if job.stop.is_set():
                training.stop()
            step = None
            for item in training.steps():
                if isinstance(item, Notice):
                    job.add_notice(item)
                    continue
                step = item
                if not self._add_step(job, training, step):
                    return
                self._wait(job.stop, self._step_seconds)
            self._finish(job, training, step)
        except Exception:
            # A training that was closed in the middle of a step may complain of that.
            if not self._interrupted and not job.has_ended:
                raise
        finally:
            with self._state.lock:
                if job.training is training:
                    job.training = None
            training.close()

    def _begin(self, job: TrainingJob) -> Training:
        task, trainer = self._task(job), self._queue_of(job).trainer
        self._link_again(job)
        task.directory.mkdir(parents=True, exist_ok=True)
        snapshot = job.snapshot
        if snapshot is None:
            return trainer.start(task)
        return trainer.resume(task, snapshot)

    def _link_again(self, job: TrainingJob) -> None:
        """Put back the files that a power cut has taken: only the rows are surely on the disk."""
        wire = job.to_dict()
        self._link_parent(job, wire["model"])
        for param in _FILES:
            path = _file_of(job, param)
            if wire[param] is not None and not path.exists():
                link(self._files.path(wire[param]), path)

    def _task(self, job: TrainingJob) -> TrainingTask:
        wire, directory = job.to_dict(), job.directory
        kind = wire["method"]["type"]
        settings = wire["method"][kind]
        valid = None if wire["validation_file"] is None else _file_of(job, "validation_file")
        base = str(self._models.trained_as(job.base))
        is_base = wire["model"] == job.base
        return TrainingTask(
            method=kind,
            model=base if is_base else wire["model"],
            base=base,
            training_file=_file_of(job, "training_file"),
            validation_file=valid,
            hyperparameters=settings["hyperparameters"],
            seed=wire["seed"],
            grader=settings.get("grader"),
            parent=None if is_base else directory / _PARENT,
            directory=directory / TRAINER_DIRECTORY,
            python_limits=self._state.limits.python_graders,
        )

    def _add_step(self, job: TrainingJob, training: Training, step: Step) -> bool:
        """Add a step to the job, and return whether the job is still to be trained."""
        with self._state.database.write():
            if job.has_ended:
                return False
            job.add_step(step, training.total_steps)
        if step.checkpoint:
            self._add_checkpoint(job, training, step)
        return True

    def _add_checkpoint(self, job: TrainingJob, training: Training, step: Step) -> None:
        name = f"{_model_name(job)}:ckpt-step-{step.number}"
        store, database = self._state.store, self._state.database
        directory = store.put_model(training.save_model)
        # A temporary directory does not survive the server, which alone could resume from it.
        snapshot = job.save_snapshot(training.save_snapshot) if store.is_lasting else None
        wire = {
            "object": "fine_tuning.job.checkpoint",
            "id": self._state.new_id("ftckpt_"),
            "created_at": self._state.now(),
            "fine_tuned_model_checkpoint": name,
            "step_number": step.number,
            "metrics": {"step": step.number, **step.metrics},
            "fine_tuning_job_id": job.id,
        }
        with store.tentative(directory) as keep, database.write() as rows:
            if job.has_ended:
                return
            self._models.add(name, job.base, directory, job.project)
            wire["result_files"] = self._files.add_of_model(name, directory, job.project)
            rows.execute(
                "INSERT INTO checkpoints (id, job, step, model, wire) VALUES (?, ?, ?, ?, ?)",
                (wire["id"], job.id, step.number, name, json.dumps(wire)),
            )
            if snapshot is not None:
                job.keep_snapshot(snapshot, step.number)
            job.add_event(f"Checkpoint created at step {step.number}")
            old = database.rows(
                "SELECT id, model FROM checkpoints WHERE job = ? ORDER BY number DESC"
                " LIMIT -1 OFFSET ?",
                (job.id, _MAX_CHECKPOINTS),
            )
            for checkpoint_id, model in old:
                self._models.remove(model)
                rows.execute("DELETE FROM checkpoints WHERE id = ?", (checkpoint_id,))
            keep()

    def _add_last_checkpoint(self, job: TrainingJob, training: Training) -> None:
        """Make a checkpoint of the model as it is at the end, unless there is one already.

        What is downloaded of a model is the files of the job's last checkpoint.
        """
        number = job.step
        (newest,) = self._state.database.row(
            "SELECT max(step) FROM checkpoints WHERE job = ?", (job.id,)
        )
        if number in {0, newest}:
            return
        metrics = job.metrics()[-1]
        for name in ("step", "total_steps"):
            del metrics[name]
        self._add_checkpoint(job, training, Step(number=number, metrics=metrics, tokens=0))

    def _finish(self, job: TrainingJob, training: Training, last: Step | None) -> None:
        """End a job whose steps have ended, or stop it if they were made to end."""
        if self._interrupted:
            return
        if not job.stop.is_set():
            self._add_last_checkpoint(job, training)
            if self._succeed(job, training):
                return
        if job.has_ended:
            return
        if last is not None:
            job.keep_snapshot(job.save_snapshot(training.save_snapshot), last.number)
        training.close()  # before anybody may resume the job
        with self._state.database.write():
            if not job.transition("pausing", "paused", "The job was paused."):
                message = "The server was stopped; the job will resume when it starts again."
                job.transition("running", "queued", message)

    def _succeed(self, job: TrainingJob, training: Training) -> bool:
        """Add the model and the result file; return False if the job is not running any more."""
        store, wire = self._state.store, job.to_dict()
        name = _model_name(job)
        is_rewarded = wire["method"]["type"] == "reinforcement"
        table = _to_csv(job.metrics(), _REWARD_COLUMNS if is_rewarded else _COLUMNS)
        directory, blob = store.put_model(training.save_model), store.put(table)
        with (
            store.tentative(directory, blob) as keep,
            self._state.database.write(),
        ):
            if job.status != "running":
                return False
            self._models.add(name, job.base, directory, job.project)
            result = self._files.add(
                blob, len(table), "step_metrics.csv", RESULTS_PURPOSE, project=job.project
            )
            job.add_event(f"New fine-tuned model created: {name}")
            job.set_status(
                "succeeded",
                "The job has successfully completed",
                fine_tuned_model=name,
                result_files=[result["id"]],
                trained_tokens=job.tokens,
            )
            keep()
        return True

    def close(self, jobs: Iterable[TrainingJob]) -> None:
        """Stop the training of ``jobs`` after the step that is under way, and end the threads.

        A training whose step takes too long is closed in the middle of it.
        """
        with self._state.lock:
            self._closed = True
        jobs = tuple(jobs)
        for job in jobs:
            job.request_stop()
        self._check_queue.close()
        for one in self._trainer_queues:
            one.queue.close()
        if not self._join():
            self._interrupted = True
            for job in jobs:
                training = job.training
                if training is not None:
                    training.close()
            self._join()
        for one in self._trainer_queues:
            one.trainer.close()

    def _join(self) -> bool:
        """Wait a while for all threads to end, and return whether they have."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        queues = [self._check_queue, *(one.queue for one in self._trainer_queues)]
        ended = [queue.join(deadline - time.monotonic()) for queue in queues]
        return all(ended)


def _file_of(job: TrainingJob, param: str) -> Path:
    return job.directory / f"{param}.jsonl"


def _model_name(job: TrainingJob) -> str:
    suffix = job.to_dict()["user_provided_suffix"] or ""
    return f"ft:{job.base}:local:{suffix}:{job.id[-8:]}"


def _to_csv(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Return the result file: a line for each step, empty where nothing was measured."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns.values()] for row in rows)
    return text.getvalue().encode()
