"""One job: its object, its events and checkpoints, and how its status changes.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import copy
import secrets
import threading
from typing import TYPE_CHECKING, Any

from finetune_client.local.storage.directories import remove_directory, write_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from finetune_client.local.state import State
    from finetune_client.local.training.trainer import Step, Training

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
    """A job, its events and its checkpoints.

    Every method takes the state's lock, and calls a trainer or removes files without it.

    Attributes:
        wire: The job's object.
        events, checkpoints: Objects too, oldest first.
        base: The name of the base model, even if the job starts from a tuned one.
        idempotency: The key of the create that made it, and a digest of that create's body.
        snapshot: The name, in `directory`, of the snapshot from which training resumes.
        tokens: How many tokens it has been trained on.
        stop: Set when training must stop after the step that is under way.
        training: The run, while the job is trained.
        is_busy: Whether a thread is checking or training the job; it removes `directory` at the end.
    """

    def __init__(self, state: State, wire: dict[str, Any], base: str) -> None:
        self._state = state
        self.wire = wire
        self.base = base
        self.events: list[dict[str, Any]] = []
        self.checkpoints: list[dict[str, Any]] = []
        self.idempotency: list[str] | None = None
        self.snapshot: str | None = None
        self.tokens = 0
        self.stop = threading.Event()
        self.training: Training | None = None
        self.is_busy = False

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.wire["id"])

    @property
    def status(self) -> str:
        """The job's status."""
        return str(self.wire["status"])

    @property
    def method(self) -> str:
        """The method's type."""
        return str(self.wire["method"]["type"])

    @property
    def directory(self) -> Path:
        """The directory of what the job needs until it has ended: files, snapshot, trainer's own."""
        return self._state.store.job_directory(self.id)

    @property
    def has_ended(self) -> bool:
        """Whether the job's status is final."""
        return self.status in FINAL_STATUSES

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the job's object."""
        with self._state.lock:
            return copy.deepcopy(self.wire)

    def record(self) -> dict[str, Any]:
        """Return what must be saved, for `restore`."""
        return {
            "wire": self.wire,
            "base": self.base,
            "events": self.events,
            "checkpoints": self.checkpoints,
            "idempotency": self.idempotency,
            "snapshot": self.snapshot,
            "tokens": self.tokens,
        }

    @classmethod
    def restore(cls, state: State, record: Mapping[str, Any]) -> TrainingJob:
        """Return the job of a `record()`."""
        job = cls(state, record["wire"], record["base"])
        job.events, job.checkpoints = record["events"], record["checkpoints"]
        job.idempotency, job.snapshot = record["idempotency"], record["snapshot"]
        job.tokens = record["tokens"]
        return job

    def save(self) -> None:
        """Write the record, if this server's records are saved."""
        with self._state.lock:
            self._state.store.save("jobs", self.id, self.record())

    def add_event(
        self,
        message: str,
        *,
        level: str = "info",
        type: str = "message",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an event."""
        with self._state.lock:
            self.events.append(
                {
                    "object": "fine_tuning.job.event",
                    "id": self._state.new_id("ftevent-"),
                    "created_at": self._state.now(),
                    "level": level,
                    "message": message,
                    "type": type,
                    "data": dict(data or {}),
                }
            )

    def set_status(self, status: str, message: str, *, level: str = "info", **fields: Any) -> None:
        """Set the status and the fields that change with it, add an event, and save."""
        with self._state.status_changed:
            if status in FINAL_STATUSES:
                fields["finished_at"] = self._state.now()
            self.add_event(message, level=level)
            self.wire.update(fields, status=status)
            self.save()
            self._state.status_changed.notify_all()

    def transition(self, before: str, after: str, message: str, **fields: Any) -> bool:
        """Change the status from ``before`` to ``after``; return whether it was ``before``."""
        with self._state.lock:
            if self.status != before:
                return False
            self.set_status(after, message, **fields)
            return True

    def fail(self, code: str, message: str, param: str | None = None) -> None:
        """End the job with an error, unless it has ended."""
        with self._state.lock:
            if not self.has_ended:
                error = {"code": code, "message": message, "param": param}
                self.set_status("failed", message, level="error", error=error)
        self.clean_up()

    def add_step(self, step: Step, total_steps: int) -> None:
        """Count a step's tokens, and add the event with its metrics."""
        data = {"step": step.number, "total_steps": total_steps, **step.metrics}
        measured = [
            f"{name}={step.metrics[key]:.2f}"
            for name, key in _MEASURES.items()
            if key in step.metrics
        ]
        message = f"Step {step.number}/{total_steps}: {', '.join(measured)}"
        with self._state.lock:
            self.tokens += step.tokens
            self.add_event(message, type="metrics", data=data)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the data of all metrics events, oldest first."""
        with self._state.lock:
            return [event["data"] for event in self.events if event["type"] == "metrics"]

    def cancel(self) -> dict[str, Any]:
        """Cancel the job at once, and return its object.

        Raises:
            JobStatusError: It has already ended.
        """
        with self._state.lock:
            if self.has_ended:
                raise self._refusal("cancelled", "it has already ended")
            self.set_status(
                "cancelled", "The job was cancelled.", trained_tokens=self.tokens or None
            )
            self.stop.set()
            training, cancelled = self.training, self.to_dict()
        if training is not None:
            training.close()
        self.clean_up()
        return cancelled

    def pause(self) -> dict[str, Any]:
        """Pause the job, and return its object; waits a moment for the step that is under way.

        Raises:
            JobStatusError: It is neither queued nor running.
        """
        with self._state.lock:
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
        with self._state.lock:
            if not self.transition("paused", "queued", "The job was resumed and is queued."):
                raise self._refusal("resumed", "only a paused job can be")
            self.stop.clear()
            return self.to_dict()

    def _refusal(self, verb: str, reason: str) -> JobStatusError:
        return JobStatusError(
            f"The job {self.id} cannot be {verb}: its status is {self.status}, and {reason}."
        )

    def save_snapshot(self, write: Callable[[Path], None]) -> str:
        """Have ``write`` fill a new snapshot, and return its name, for `keep_snapshot`."""
        name = f"snapshot-{secrets.token_hex(8)}"
        write_directory(self.directory / name, write)
        return name

    def keep_snapshot(self, name: str) -> None:
        """Resume from this snapshot from now on, and remove the one before."""
        with self._state.lock:
            before, self.snapshot = self.snapshot, name
            self.save()
        if before is not None:
            remove_directory(self.directory / before)

    def clean_up(self) -> None:
        """Remove the job's directory, once it has ended and no thread needs it."""
        with self._state.lock:
            unused = self.has_ended and not self.is_busy
        if unused:
            remove_directory(self.directory)
