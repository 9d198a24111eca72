"""One job: its object, its events and checkpoints, and how its status changes.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
import secrets
import threading
from typing import TYPE_CHECKING, Any

from finetune_client.local.storage.directories import remove_directory
from finetune_client.local.storage.job_logs import has_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from finetune_client.local.state import State
    from finetune_client.local.training.trainer import Notice, Step, Training

__all__ = ["FINAL_STATUSES", "JobStatusError", "TrainingJob"]

FINAL_STATUSES = frozenset({"succeeded", "failed", "cancelled"})
_PAUSE_SECONDS = 1.0
_MEASURES = {
    "training loss": "train_loss",
    "validation loss": "valid_loss",
    "full validation loss": "full_valid_loss",
    "training reward": "train_mean_reward",
    "full validation reward": "full_valid_mean_reward",
}


class JobStatusError(Exception):
    """A job's status does not allow what was asked for."""


class TrainingJob:
    """A job that has not ended: its rows in the database, and the thread that works on it.

    Every method that changes rows takes the state's lock, and calls a trainer or removes files
    without it.

    Attributes:
        id: The job's id.
        base: The name of the base model, even if the job starts from a tuned one.
        is_waiting: Whether the job waits to be trained, if it is in a queue at all.
        stop: Set when training must stop after the step that is under way.
        training: The run, while the job is trained.
        workers: How many threads are checking or training the job, or about to have done it.
    """

    def __init__(self, state: State, job_id: str, base: str) -> None:
        self._state = state
        self.id = job_id
        self.base = base
        self.is_waiting = True
        self.stop = threading.Event()
        self.training: Training | None = None
        self.workers = 0

    def _column(self, name: str) -> Any:
        query = f"SELECT {name} FROM jobs WHERE id = ?"  # noqa: S608 - a name of ours
        return self._state.database.row(query, (self.id,))[0]

    @property
    def status(self) -> str:
        """The job's status."""
        return str(self._column("status"))

    @property
    def has_ended(self) -> bool:
        """Whether the job's status is final."""
        return self.status in FINAL_STATUSES

    @property
    def tokens(self) -> int:
        """How many tokens it has been trained on."""
        return int(self._column("tokens"))

    @property
    def step(self) -> int:
        """The last step that was reported."""
        return int(self._column("step"))

    @property
    def project(self) -> str:
        """Whose it is."""
        return str(self._column("project"))

    @property
    def snapshot(self) -> Path | None:
        """The directory of the snapshot from which training resumes, if there is one."""
        name = self._column("snapshot")
        return None if name is None else self.directory / name

    @property
    def directory(self) -> Path:
        """The directory of what the job needs until it has ended: files, snapshot, trainer's own."""
        return self._state.store.job_directory(self.id)

    @property
    def has_log(self) -> bool:
        """Whether its trainer has written a log, which is kept when the job ends."""
        store = self._state.store
        return store.is_lasting and has_log(store.directory, self.id)

    def to_dict(self) -> dict[str, Any]:
        """Return the job's object."""
        wire: dict[str, Any] = json.loads(self._column("wire"))
        return wire

    def add_event(
        self,
        message: str,
        *,
        level: str = "info",
        type: str = "message",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an event."""
        event = {
            "object": "fine_tuning.job.event",
            "id": self._state.new_id("ftevent-"),
            "created_at": self._state.now(),
            "level": level,
            "message": message,
            "type": type,
            "data": dict(data or {}),
        }
        with self._state.database.write() as rows:
            rows.execute(
                "INSERT INTO events (id, job, type, wire) VALUES (?, ?, ?, ?)",
                (event["id"], self.id, type, json.dumps(event)),
            )

    def add_notice(self, notice: Notice) -> None:
        """Add an event for it, unless the job has one that says the same, or has ended."""
        with self._state.database.write() as rows:
            earlier = rows.execute(
                "SELECT wire FROM events WHERE job = ? AND type = 'message'", (self.id,)
            )
            is_new = all(json.loads(wire)["message"] != notice.message for (wire,) in earlier)
            if is_new and not self.has_ended:
                self.add_event(notice.message, level=notice.level, data=notice.data)

    def set_status(self, status: str, message: str, *, level: str = "info", **fields: Any) -> None:
        """Set the status and the fields that change with it, and add an event."""
        if status in FINAL_STATUSES:
            fields["finished_at"] = self._state.now()
        with self._state.database.write() as rows:
            if status == "queued" and self.status != "running":  # one that ran keeps its place
                rows.execute(
                    "UPDATE jobs SET place = (SELECT ifnull(max(place), 0) + 1 FROM jobs)"
                    " WHERE id = ?",
                    (self.id,),
                )
            self.add_event(message, level=level)
            wire = self.to_dict() | fields | {"status": status}
            rows.execute(
                "UPDATE jobs SET status = ?, wire = ? WHERE id = ?",
                (status, json.dumps(wire), self.id),
            )
            if self._state.on_status is not None:
                self._state.on_status(self.id, status)
            self.is_waiting = status == "queued"
            self._state.status_changed.notify_all()

    def transition(self, before: str, after: str, message: str, **fields: Any) -> bool:
        """Change the status from ``before`` to ``after``; return whether it was ``before``."""
        with self._state.database.write():
            if self.status != before:
                return False
            self.set_status(after, message, **fields)
            return True

    def fail(self, code: str, message: str, param: str | None = None) -> None:
        """End the job with an error, unless it has ended."""
        with self._state.database.write():
            if not self.has_ended:
                error = {"code": code, "message": message, "param": param}
                self.set_status("failed", message, level="error", error=error)
        self.clean_up()

    def add_step(self, step: Step, total_steps: int) -> None:
        """Count a step's tokens, and add the event with its metrics.

        A step that was reported before the server was killed is not reported again.
        """
        if step.number <= self.step:
            return
        data = {"step": step.number, "total_steps": total_steps, **step.metrics}
        measured = [
            f"{name}={step.metrics[key]:.2f}"
            for name, key in _MEASURES.items()
            if key in step.metrics
        ]
        message = f"Step {step.number}/{total_steps}: {', '.join(measured)}"
        with self._state.database.write() as rows:
            rows.execute(
                "UPDATE jobs SET tokens = tokens + ?, step = ? WHERE id = ?",
                (step.tokens, step.number, self.id),
            )
            self.add_event(message, type="metrics", data=data)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the data of all metrics events, oldest first."""
        found = self._state.database.rows(
            "SELECT wire FROM events WHERE job = ? AND type = 'metrics' ORDER BY number", (self.id,)
        )
        return [json.loads(wire)["data"] for (wire,) in found]

    def cancel(self) -> dict[str, Any]:
        """Cancel the job at once, and return its object.

        Raises:
            JobStatusError: It has already ended.
        """
        with self._state.database.write():
            if self.has_ended:
                raise self._refusal("cancelled", "it has already ended")
            self.set_status(
                "cancelled", "The job was cancelled.", trained_tokens=self.tokens or None
            )
            cancelled = self.to_dict()
        with self._state.lock:
            self.stop.set()
            training = self.training
        if training is not None:
            training.close()
        self.clean_up()
        return cancelled

    def pause(self) -> dict[str, Any]:
        """Pause the job, and return its object; waits a moment for the step that is under way.

        Raises:
            JobStatusError: It is neither queued nor running.
        """
        with self._state.database.write():
            if self.transition("queued", "paused", "The job was paused before it started."):
                return self.to_dict()
            if not self.transition("running", "pausing", "The job is pausing."):
                raise self._refusal("paused", "only a queued or a running job can be")
        self.request_stop()
        with self._state.status_changed:
            self._state.status_changed.wait_for(lambda: self.status != "pausing", _PAUSE_SECONDS)
            return self.to_dict()

    def request_stop(self) -> None:
        """Ask the training, if there is one, to stop after the step that is under way."""
        with self._state.lock:
            self.stop.set()
            training = self.training
        if training is not None:
            training.stop()

    def resume(self) -> dict[str, Any]:
        """Queue a paused job again, and return its object; the caller gives it to the runner.

        Raises:
            JobStatusError: It is not paused.
        """
        with self._state.database.write():
            if not self.transition("paused", "queued", "The job was resumed and is queued."):
                raise self._refusal("resumed", "only a paused job can be")
            resumed = self.to_dict()
        self.stop.clear()
        return resumed

    def restore(self) -> None:
        """Put the job, which was trained when an earlier run of the server was killed, in order."""
        for path in self.directory.glob("snapshot-*"):
            if path != self.snapshot:  # it was not whole when the server was killed
                remove_directory(path)
        step = self._column("snapshot_step")
        where = f"after step {step}" if step else "from the beginning"
        with self._state.database.write():
            ended = "The server ended while this job was"
            self.transition("running", "queued", f"{ended} running; training resumes {where}.")
            self.transition(
                "pausing", "paused", f"{ended} pausing; when it is resumed, it resumes {where}."
            )

    def _refusal(self, verb: str, reason: str) -> JobStatusError:
        return JobStatusError(
            f"The job {self.id} cannot be {verb}: its status is {self.status}, and {reason}."
        )

    def save_snapshot(self, write: Callable[[Path], None]) -> str:
        """Have ``write`` fill a new snapshot, and return its name, for `keep_snapshot`."""
        name = f"snapshot-{secrets.token_hex(8)}"
        self._state.store.put_directory(self.directory / name, write)
        return name

    def keep_snapshot(self, name: str, step: int) -> None:
        """Resume from this snapshot, of after that step, from now on; remove the one before."""
        database = self._state.database
        with database.write() as rows:
            before = self.snapshot
            rows.execute(
                "UPDATE jobs SET snapshot = ?, snapshot_step = ? WHERE id = ?",
                (name, step, self.id),
            )
            if before is not None:
                database.after_commit(lambda: remove_directory(before))

    def begin_work(self) -> None:
        """Keep `directory` until `end_work`: a thread is checking or training the job."""
        with self._state.lock:
            self.workers += 1

    def end_work(self) -> None:
        """End what `begin_work` began."""
        with self._state.lock:
            self.workers -= 1
        self.clean_up()

    def clean_up(self) -> None:
        """Remove the job's directory but for its log, once it has ended and no thread needs it."""
        with self._state.lock:
            unused = self.workers == 0 and self.has_ended
        if unused:
            self._state.store.remove_job(self.id)
