"""The live terminal: bars over bytes and steps, and the loss curve at the end."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from finetune_client.cli.curve import draw
from finetune_client.cli.reporting import PlainLines, losses, metrics_of, printable
from finetune_client.resources.files.progress import terminal_bar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from finetune_client.metrics import Metrics
    from finetune_client.models import FineTuningJob, FineTuningJobEvent
    from finetune_client.resources.files.progress import OnProgress

__all__ = ["LiveTerminal"]

_CURVE_WIDTH = 70
_CURVE_MARGIN = 23  # columns that plotille needs for the axis beside a curve
_CURVE_MIN_WIDTH = 15


class LiveTerminal(PlainLines):
    """Lines as in `PlainLines`, with a bar below them during an upload and during training."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self.console = console or Console(highlight=False)
        self._bar: Progress | None = None
        self._steps: TaskID | None = None

    def line(self, text: str) -> None:
        self.console.print(Text(printable(text)), soft_wrap=True)

    @contextmanager
    def uploading(self, path: Path) -> Iterator[OnProgress]:
        """Show a bar over the bytes sent."""
        label = f"uploading {path.name}"
        with terminal_bar(label, console=self.console, transient=True) as on_progress:
            yield on_progress

    @contextmanager
    def training(self) -> Iterator[None]:
        """Show a bar over the steps, from the first one that the job reports."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[loss]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            self._bar = bar
            self._steps = bar.add_task("waiting to train", total=None, loss="")
            try:
                yield
            finally:
                self._bar = None

    def event(self, event: FineTuningJobEvent) -> None:
        """Move the bar for metrics; write everything else as a line above it."""
        numbers = metrics_of(event)
        if self._bar is None or self._steps is None or "step" not in numbers:
            super().event(event)
            return
        loss = numbers.get("train_loss")
        self._bar.update(
            self._steps,
            description="training",
            completed=numbers["step"],
            total=numbers.get("total_steps"),
            loss="" if loss is None else f"train_loss {loss:.4f}",
        )

    def curve(self, metrics: Metrics) -> None:
        """Draw the losses where the terminal can show braille dots; else write them as lines."""
        series = {name: points for name, points in losses(metrics).items() if points}
        width = min(_CURVE_WIDTH, self.console.width - _CURVE_MARGIN)
        values = [value for points in series.values() for _, value in points]
        has_span = bool(values) and math.isfinite(max(values) - min(values))
        if not has_span or width < _CURVE_MIN_WIDTH or not _shows_braille(self.console):
            super().curve(metrics)
            return
        colour = self.console.color_system is not None
        self.console.print(Text.from_ansi(draw(series, width=width, colour=colour)))
        super().curve(metrics)

    def ended(self, job: FineTuningJob, where: str) -> None:
        if where:
            self.line(f"Metrics: {where}")
        if job.fine_tuned_model:
            name = (printable(job.fine_tuned_model), "bold green")
            self.console.print(Text.assemble("Model: ", name), soft_wrap=True)


def _shows_braille(console: Console) -> bool:
    try:
        "⠤".encode(console.encoding)
    except UnicodeEncodeError:
        return False
    return True
