"""What a command reports while it works: plain lines, JSON lines, or a live terminal."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

from finetune_client.cli.curve import summarise
from finetune_client.display import counted
from finetune_client.metrics import is_measured
from finetune_client.training_data.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from finetune_client.metrics import Metrics
    from finetune_client.models import FileObject, FineTuningJob, FineTuningJobEvent
    from finetune_client.resources.files.progress import OnProgress
    from finetune_client.training_data import Report

__all__ = [
    "JsonLines",
    "PlainLines",
    "Reporter",
    "json_line",
    "losses",
    "metrics_of",
    "printable",
]

_METRICS_LINES = 20


class Reporter(Protocol):
    """Where the commands report what happens, in the order it happens."""

    def checked(self, path: Path, report: Report) -> None:
        """A file was checked."""

    def uploading(self, path: Path) -> AbstractContextManager[OnProgress]:
        """A file is being uploaded; the callable takes bytes sent and bytes in all."""

    def uploaded(self, path: Path, file: FileObject) -> None:
        """A file is on the server."""

    def created(self, job: FineTuningJob) -> None:
        """The job exists."""

    def training(self) -> AbstractContextManager[None]:
        """The job's events follow."""

    def event(self, event: FineTuningJobEvent) -> None:
        """One event of the job."""

    def curve(self, metrics: Metrics) -> None:
        """The job is over; these are its measurements."""

    def ended(self, job: FineTuningJob, where: str) -> None:
        """The job's last state, and the file with its metrics or the command that shows them."""


_RISE_TO_MENTION = 0.02
"""A validation loss that has risen by this fraction since its lowest value is worth a warning."""


class JsonLines:
    """One JSON object a line on stdout; ``kind`` says what it is."""

    def checked(self, path: Path, report: Report) -> None:
        self._write("check", file=str(path), report=report.to_dict())

    @contextmanager
    def uploading(self, path: Path) -> Iterator[OnProgress]:  # noqa: ARG002 (no bar, no name)
        yield _ignore_progress

    def uploaded(self, path: Path, file: FileObject) -> None:
        self._write("upload", file=str(path), uploaded=file.to_dict())

    def created(self, job: FineTuningJob) -> None:
        self._write("job", job=job.to_dict())

    @contextmanager
    def training(self) -> Iterator[None]:
        yield

    def event(self, event: FineTuningJobEvent) -> None:
        self._write("event", event=event.to_dict())

    def curve(self, metrics: Metrics) -> None:
        self._write("metrics", series={name: metrics.series(name) for name in metrics.names})

    def ended(self, job: FineTuningJob, where: str) -> None:
        self._write("end", job=job.to_dict(), fine_tuned_model=job.fine_tuned_model, metrics=where)

    def _write(self, kind: str, **facts: Any) -> None:
        click.echo(json_line({"kind": kind, **facts}))


class PlainLines:
    """Plain lines, for a pipe, a log or a terminal that can do no more."""

    def __init__(self) -> None:
        self._next_step = 0

    def line(self, text: str) -> None:
        """Write one line, with control characters as escapes."""
        click.echo(printable(text))

    def checked(self, path: Path, report: Report) -> None:
        if not report.counts:
            count = report.statistics["examples"]
            self.line(f"{path} is fit to train on: {counted(count, 'example')}.")
        for line in str(report).splitlines() if report.counts else ():
            self.line(line)

    @contextmanager
    def uploading(self, path: Path) -> Iterator[OnProgress]:
        self.line(f"{path.name}: uploading ...")
        yield _ignore_progress

    def uploaded(self, path: Path, file: FileObject) -> None:
        self.line(f"{path.name}: uploaded as {file.id}.")

    def created(self, job: FineTuningJob) -> None:
        self.line(f"Job {job.id}: {job.status}.")

    @contextmanager
    def training(self) -> Iterator[None]:
        yield

    def event(self, event: FineTuningJobEvent) -> None:
        """Write a message as it is; of the metrics the first, then about twenty over the whole job."""
        step = metrics_of(event).get("step")
        total = metrics_of(event).get("total_steps")
        if step is None:
            first, *more = f"{event.level or 'info'}: {event.message}".split("\n")
            self.line(first)
            for line in more:  # indented, so that none is taken for an event of its own
                self.line(f"  {line}")
        elif not total or step >= self._next_step or step == total:
            self._next_step = step + max(1, (total or 0) // _METRICS_LINES)
            self.line(metrics_line(event))

    def curve(self, metrics: Metrics) -> None:
        for line in [*summarise(losses(metrics)), *_verdict(metrics)]:
            self.line(line)

    def ended(self, job: FineTuningJob, where: str) -> None:
        if where:
            self.line(f"Metrics: {where}")
        if job.fine_tuned_model:
            self.line(f"Model: {job.fine_tuned_model}")


def _verdict(metrics: Metrics) -> list[str]:
    """Return which step was best by the validation file, and a warning if the loss rose since.

    Nothing where each step was measured on another batch of it: there the lowest is a matter of luck.
    """
    name = metrics.validation
    measured = 0 if name is None else len(metrics.series(name))
    is_of_batches = not metrics.has_whole_validation and measured == len(metrics.rows)
    if name is None or measured < 2 or is_of_batches:
        return []
    try:
        step, value = metrics.best(name)
    except ValueError:
        return []
    lines = [f"Best {name}: {value:.4f} at step {step}"]
    if metrics.rise_since_best() > _RISE_TO_MENTION:
        lines.append(
            f"Warning: {name} has risen by {metrics.rise_since_best():.0%} since then: the model "
            f"has begun to learn its examples by heart. The checkpoint at or before step {step} "
            "may be the better model; fewer epochs may help."
        )
    return lines


def _ignore_progress(sent: int, total: int) -> None:
    """Show no progress."""


def json_line(facts: Any) -> str:
    """Return one line of JSON; NaN and infinity, which JSON does not have, become null."""
    try:
        return json.dumps(facts, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(facts), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def metrics_of(event: FineTuningJobEvent) -> dict[str, Any]:
    """Return the numbers of a metrics event; empty for every other event."""
    data = event.data if event.type == "metrics" else None
    return {
        key: value
        for key, value in (data or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
        if is_measured(key, value)
    }


def metrics_line(event: FineTuningJobEvent) -> str:
    """Return a metrics event as one line: ``step 3/10 train_loss 2.1345``."""
    numbers = metrics_of(event)
    step, total = numbers.pop("step"), numbers.pop("total_steps", None)
    place = f"step {step}/{total}" if total else f"step {step}"
    return " ".join([place, *(f"{name} {value:.4f}" for name, value in numbers.items())])


def losses(metrics: Metrics) -> dict[str, list[tuple[int, float]]]:
    """Return the curves worth drawing, without points that are not finite numbers."""
    return {
        name: [point for point in metrics.series(name) if math.isfinite(point[1])]
        for name in metrics.losses
    }
