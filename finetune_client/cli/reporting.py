"""What a command tells while it works: plain lines, JSON lines, or a live terminal."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

from finetune_client.cli.curve import loss_series, summarise
from finetune_client.training_data.report import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from finetune_client.metrics import Metrics
    from finetune_client.models import FileObject, FineTuningJob, FineTuningJobEvent
    from finetune_client.training_data import Report

    Progress = Callable[[int, int], None]

__all__ = [
    "JsonLines",
    "PlainLines",
    "Reporter",
    "json_line",
    "losses",
    "metrics_of",
    "printable",
]

METRICS_SHOWN = 20


class Reporter(Protocol):
    """Where the commands say what happens, in the order it happens."""

    def checked(self, path: Path, report: Report) -> None:
        """A file was checked."""

    def uploading(self, path: Path) -> AbstractContextManager[Progress]:
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
        """The job's last state, and where its metrics are."""


class JsonLines:
    """One JSON object a line on stdout; ``kind`` says what it is."""

    def checked(self, path: Path, report: Report) -> None:
        self._say("check", file=str(path), report=report.to_dict())

    @contextmanager
    def uploading(self, path: Path) -> Iterator[Progress]:  # noqa: ARG002 (no bar, no name)
        yield _unseen

    def uploaded(self, path: Path, file: FileObject) -> None:
        self._say("upload", file=str(path), uploaded=file.to_dict())

    def created(self, job: FineTuningJob) -> None:
        self._say("job", job=job.to_dict())

    @contextmanager
    def training(self) -> Iterator[None]:
        yield

    def event(self, event: FineTuningJobEvent) -> None:
        self._say("event", event=event.to_dict())

    def curve(self, metrics: Metrics) -> None:
        self._say("metrics", series={name: metrics.series(name) for name in metrics.names})

    def ended(self, job: FineTuningJob, where: str) -> None:
        self._say("end", job=job.to_dict(), fine_tuned_model=job.fine_tuned_model, metrics=where)

    def _say(self, kind: str, **facts: Any) -> None:
        click.echo(json_line({"kind": kind, **facts}))


class PlainLines:
    """Plain lines, for a pipe, a log or a terminal that can do no more."""

    def __init__(self) -> None:
        self._shown = 0

    def line(self, text: str) -> None:
        """Write one line; what a terminal would act on is shown as an escape."""
        click.echo(printable(text))

    def checked(self, path: Path, report: Report) -> None:
        if not report.counts:
            count = report.statistics["examples"]
            self.line(f"{path} is fit to train on: {count} example{'s' * (count != 1)}.")
        for line in str(report).splitlines() if report.counts else ():
            self.line(line)

    @contextmanager
    def uploading(self, path: Path) -> Iterator[Progress]:
        self.line(f"{path}: uploading ...")
        yield _unseen

    def uploaded(self, path: Path, file: FileObject) -> None:
        self.line(f"{path}: uploaded as {file.id}.")

    def created(self, job: FineTuningJob) -> None:
        self.line(f"Job {job.id}: {job.status}.")

    @contextmanager
    def training(self) -> Iterator[None]:
        yield

    def event(self, event: FineTuningJobEvent) -> None:
        """Show a message as it is, and of the metrics about twenty over the whole job."""
        step = metrics_of(event).get("step")
        total = metrics_of(event).get("total_steps")
        if step is None:
            self.line(f"{event.level or 'info'}: {event.message}")
        elif not total or step >= self._shown + max(1, total // METRICS_SHOWN) or step == total:
            self._shown = step
            self.line(metrics_line(event))

    def curve(self, metrics: Metrics) -> None:
        for line in summarise(losses(metrics)):
            self.line(line)

    def ended(self, job: FineTuningJob, where: str) -> None:
        if where:
            self.line(f"Metrics: {where}")
        if job.fine_tuned_model:
            self.line(f"Model: {job.fine_tuned_model}")


def _unseen(sent: int, total: int) -> None:
    """Show no progress: nobody watches."""


def json_line(facts: Any) -> str:
    """Write one line of JSON; NaN and infinity, which JSON does not have, become null."""
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
    """Give the numbers of a metrics event; empty for every other event."""
    data = event.data if event.type == "metrics" else None
    return {
        key: value
        for key, value in (data or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def metrics_line(event: FineTuningJobEvent) -> str:
    """Say a metrics event in one line: ``step 3/10 train_loss 2.1345``."""
    numbers = metrics_of(event)
    step, total = numbers.pop("step"), numbers.pop("total_steps", None)
    place = f"step {step}/{total}" if total else f"step {step}"
    return " ".join([place, *(f"{name} {value:.4f}" for name, value in numbers.items())])


def losses(metrics: Metrics) -> dict[str, list[tuple[int, float]]]:
    """Pick the curves worth drawing, and of them what is a number."""
    return {
        name: [point for point in metrics.series(name) if math.isfinite(point[1])]
        for name in loss_series(metrics.names)
    }
