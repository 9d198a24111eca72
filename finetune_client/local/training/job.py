"""One job: what the wire shows of it, its events and checkpoints, and how its status changes.

https://platform.openai.com/docs/api-reference/fine-tuning/object
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from finetune_client.local.http.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.local.state import State
    from finetune_client.local.training.trainer import Step, TrainingTask

__all__ = ["ENDED", "Job"]

ENDED = frozenset({"succeeded", "failed", "cancelled"})


class Job:
    """A job and all that hangs on it. Every method takes the state's lock.

    Attributes:
        wire: The job's object.
        events, checkpoints: Objects too, oldest first.
        base: The name of the base model, also where the job starts from a tuned one.
        idempotency: The key of the create that made it, and a digest of that create's body.
        snapshot: Where training stands, while the job is paused.
        task: What to train, from the time the files were found to be good.
        stop: Set when training is to stop at the next step.
    """

    def __init__(self, state: State, wire: dict[str, Any], base: str) -> None:
        self._state = state
        self.wire = wire
        self.base = base
        self.events: list[dict[str, Any]] = []
        self.checkpoints: list[dict[str, Any]] = []
        self.idempotency: list[str] | None = None
        self.snapshot: str | None = None
        self.task: TrainingTask | None = None
        self.tokens = 0
        self.stop = threading.Event()

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.wire["id"])

    @property
    def status(self) -> str:
        """The job's status, in the wire's words."""
        return str(self.wire["status"])

    @property
    def method(self) -> str:
        """The method's type."""
        return str(self.wire["method"]["type"])

    def shown(self) -> dict[str, Any]:
        """Copy the job's object, as it is now."""
        with self._state.lock:
            return copy.deepcopy(self.wire)

    def record(self) -> dict[str, Any]:
        """Give all that must last when the server does not."""
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
    def restore(cls, state: State, record: Mapping[str, Any]) -> Job:
        """Make the job of a `record()`."""
        job = cls(state, record["wire"], record["base"])
        job.events, job.checkpoints = record["events"], record["checkpoints"]
        job.idempotency, job.snapshot = record["idempotency"], record["snapshot"]
        job.tokens = record["tokens"]
        return job

    def save(self) -> None:
        """Write the record, if this server's records last."""
        with self._state.lock:
            self._state.store.save("jobs", self.id, self.record())

    def event(
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

    def become(self, status: str, message: str, *, level: str = "info", **fields: Any) -> None:
        """Change the status and what changes with it, tell it in an event, and save."""
        with self._state.changed:
            if status in ENDED:
                fields["finished_at"] = self._state.now()
                self.task = None
            self.event(message, level=level)
            self.wire.update(fields, status=status)
            self.save()
            self._state.changed.notify_all()

    def move(self, origins: tuple[str, ...], status: str, message: str, **fields: Any) -> bool:
        """Change the status if it is one of ``origins``, and say whether it was."""
        with self._state.lock:
            if self.status not in origins:
                return False
            self.become(status, message, **fields)
            return True

    def fail(self, code: str, message: str, param: str | None = None) -> None:
        """End the job with an error, unless it has ended."""
        with self._state.lock:
            if self.status not in ENDED:
                error = {"code": code, "message": message, "param": param}
                self.become("failed", message, level="error", error=error)
                self.forget_snapshot()

    def step(self, step: Step, total: int) -> None:
        """Tell what a step of training measured."""
        data = {"step": step.number, "total_steps": total, **step.metrics}
        told = [
            f"{name}={step.metrics[key]:.2f}"
            for name, key in (
                ("training loss", "train_loss"),
                ("validation loss", "valid_loss"),
                ("full validation loss", "full_valid_loss"),
                ("training reward", "train_mean_reward"),
                ("full validation reward", "full_valid_mean_reward"),
            )
            if key in step.metrics
        ]
        with self._state.lock:
            self.tokens += step.tokens
            message = f"Step {step.number}/{total}: {', '.join(told)}"
            self.event(message, type="metrics", data=data)

    def metrics(self) -> list[dict[str, Any]]:
        """Copy the data of all metrics events, oldest first."""
        with self._state.lock:
            return [event["data"] for event in self.events if event["type"] == "metrics"]

    def cancel(self) -> dict[str, Any]:
        """``POST …/cancel``."""
        with self._state.lock:
            if self.status in ENDED:
                raise self._refusal("cancelled", "it has already ended")
            self.become("cancelled", "The job was cancelled.", trained_tokens=self.tokens or None)
            self.stop.set()
            self.forget_snapshot()
            return self.shown()

    def pause(self, patience: float = 1.0) -> dict[str, Any]:
        """``POST …/pause``: waits up to ``patience`` seconds for the step that is under way."""
        with self._state.changed:
            if self.move(("queued",), "paused", "The job was paused before it started."):
                return self.shown()
            if not self.move(("running",), "pausing", "The job is pausing."):
                raise self._refusal("paused", "only a queued or a running job can be")
            self.stop.set()
            self._state.changed.wait_for(lambda: self.status != "pausing", patience)
            return self.shown()

    def resume(self) -> dict[str, Any]:
        """``POST …/resume``: the job is queued; whoever calls this hands it to a trainer."""
        with self._state.lock:
            if not self.move(("paused",), "queued", "The job was resumed and is queued."):
                raise self._refusal("resumed", "only a paused job can be")
            self.stop.clear()
            return self.shown()

    def _refusal(self, verb: str, reason: str) -> WireError:
        return WireError(
            400,
            f"The job {self.id} cannot be {verb}: its status is {self.status}, and {reason}.",
            code="invalid_job_status",
            param="fine_tuning_job_id",
        )

    def keep_snapshot(self, snapshot: bytes) -> None:
        """Keep where training stands, instead of what was kept before."""
        with self._state.lock:
            self.forget_snapshot()
            self.snapshot = self._state.store.put(snapshot)

    def forget_snapshot(self) -> None:
        """Drop what `keep_snapshot` kept."""
        with self._state.lock:
            if self.snapshot is not None:
                self._state.store.drop(self.snapshot)
                self.snapshot = None
