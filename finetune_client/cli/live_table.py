"""Several jobs at once: a live table on a terminal, plain lines or JSON lines elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import click

from finetune_client.cli.reporting import PlainLines, json_line, metrics_of, printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.table import Table
    from typing_extensions import Self

    from finetune_client import FineTuningJob, FineTuningJobEvent

__all__ = ["JobTable", "job_table"]


class JobTable(Protocol):
    """Where the commands report on several jobs. Each has a name: its id, or its settings."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def status(self, name: str, status: str) -> None:
        """A job, or what is to become one, is in this state."""

    def event(self, name: str, event: FineTuningJobEvent) -> None:
        """One event of a job."""

    def ended(self, name: str, job: FineTuningJob) -> None:
        """A job has ended."""


class _WithoutScreen:
    """Begins and ends with nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Do nothing."""


class _JsonTable(_WithoutScreen):
    """One JSON object a line on stdout; ``kind`` says what it is."""

    def status(self, name: str, status: str) -> None:
        """Write nothing: the events say it."""

    def event(self, name: str, event: FineTuningJobEvent) -> None:
        self._write("event", name, event=event.to_dict())

    def ended(self, name: str, job: FineTuningJob) -> None:
        self._write("end", name, job=job.to_dict(), fine_tuned_model=job.fine_tuned_model)

    def _write(self, kind: str, name: str, **facts: Any) -> None:
        click.echo(json_line({"kind": kind, "name": name, **facts}))


class _Named(PlainLines):
    """Plain lines, each with the name of its job."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def line(self, text: str) -> None:
        super().line(f"{self._name}: {text}")


class _PlainTable(_WithoutScreen):
    """Plain lines, for a pipe, a log or a terminal that can do no more."""

    def __init__(self) -> None:
        self._lines: dict[str, _Named] = {}
        self._statuses: dict[str, str] = {}

    def _of(self, name: str) -> _Named:
        return self._lines.setdefault(name, _Named(name))

    def status(self, name: str, status: str) -> None:
        if self._statuses.get(name) != status:
            self._statuses[name] = status
            self._of(name).line(status)

    def event(self, name: str, event: FineTuningJobEvent) -> None:
        self._of(name).event(event)

    def ended(self, name: str, job: FineTuningJob) -> None:
        self._of(name).line(_last_words(job))


@dataclass(slots=True)
class _Row:
    """What the table shows of one job."""

    status: str = ""
    step: str = ""
    train: str = ""
    valid: str = ""
    last_words: str = ""


class _LiveTable:
    """One table that is drawn anew as the jobs change, and stays as they ended.

    It begins with the first job: what is asked before that stands above it.
    """

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._rows: dict[str, _Row] = {}
        self._live = Live(get_renderable=self._drawn, console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()
        for name, row in self._rows.items():
            if row.last_words:
                click.echo(printable(f"{name}: {row.last_words}"))

    def status(self, name: str, status: str) -> None:
        self._row(name).status = status

    def event(self, name: str, event: FineTuningJobEvent) -> None:
        numbers = metrics_of(event)
        if "step" not in numbers:
            return
        row = self._row(name)
        row.status = "running"
        total = numbers.get("total_steps")
        row.step = f"{numbers['step']}/{total}" if total else str(numbers["step"])
        for column, curves in (
            ("train", ("train_loss", "train_mean_reward")),
            ("valid", ("full_valid_loss", "valid_loss", "valid_mean_reward")),
        ):
            value = next((numbers[curve] for curve in curves if curve in numbers), None)
            if value is not None:
                setattr(row, column, f"{value:.4f}")

    def ended(self, name: str, job: FineTuningJob) -> None:
        row = self._row(name)
        row.status, row.last_words = job.status or "ended", _last_words(job)

    def _row(self, name: str) -> _Row:
        self._live.start()  # once; again it does nothing
        return self._rows.setdefault(name, _Row())

    def _drawn(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for heading, side in (
            ("job", "left"),
            ("status", "left"),
            ("step", "right"),
            ("train", "right"),
            ("valid", "right"),
        ):
            table.add_column(heading, justify=side, overflow="fold")  # type: ignore[arg-type]
        for name, row in self._rows.items():
            status = Text(printable(row.status), style=_STYLES.get(row.status, ""))
            table.add_row(Text(printable(name)), status, row.step, row.train, row.valid)
        return table


_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "red", "running": "bold"}


def _last_words(job: FineTuningJob) -> str:
    """Return how a job ended: its status, and its model or what went wrong."""
    more = job.fine_tuned_model or (job.error and job.error.message)
    return f"{job.status}, {more}" if more else str(job.status)


def job_table(*, as_json: bool) -> JobTable:
    """Return the table that fits where the output goes."""
    if as_json:
        return _JsonTable()
    if sys.stdout is None or not sys.stdout.isatty():
        return _PlainTable()
    from rich.console import Console

    console = Console(highlight=False)
    return _PlainTable() if console.is_dumb_terminal else _LiveTable(console)
