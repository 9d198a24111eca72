"""The training curves of a job, from its result file, its events or its checkpoints."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from typing import Any

from finetune_client import svg
from finetune_client.display import counted
from finetune_client.models import FineTuningJobCheckpoint, FineTuningJobEvent
from finetune_client.tables import html_table

__all__ = ["Comparison", "Metrics", "compare", "is_measured"]

_STEP = "step"
_NOT_CURVES = frozenset({_STEP, "total_steps"})

_VALIDATION = (
    "full_valid_loss",
    "valid_loss",
    "full_valid_mean_reward",
    "valid_mean_reward",
    "full_valid_mean_token_accuracy",
    "valid_mean_token_accuracy",
)
"""What tells best how good a model is: the whole validation file first, then batches of it."""

_WHOLE = "full_valid"
"""How the names begin of what is measured on the whole validation file."""

_LOW_IS_GOOD = ("loss", "perplexity", "error", "kl")

_RAW = " (raw)"
_NOISY = 20
"""A curve with more points is drawn smoothed, with the raw values pale behind it."""
_PLOT_WEIGHT = 0.6

_NEVER_NEGATIVE = ("loss", "accurac")
_MAY_BE_NEGATIVE = ("reward", "score")


def is_measured(name: str, value: float) -> bool:
    """Return whether a number is a measurement.

    Azure writes -1 where nothing was measured, such as the validation loss of the steps between
    two validations. No loss and no accuracy is -1; a reward or a grader's score may be.
    """
    low = name.lower()
    if value != -1 or any(word in low for word in _MAY_BE_NEGATIVE):
        return True
    return not any(word in low for word in _NEVER_NEGATIVE)


@dataclass(kw_only=True, slots=True, repr=False)
class Metrics:
    """Training curves.

    Attributes:
        rows: One for each step, in their order: ``step`` and each number that is known of it. A
            loss or an accuracy of -1 says that nothing was measured, and is left out.
    """

    rows: list[dict[str, float]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of the curves, in the order in which they first appear."""
        found = dict.fromkeys(name for row in self.rows for name in row)
        return [name for name in found if name not in _NOT_CURVES]

    def series(self, name: str) -> list[tuple[int, float]]:
        """Return one curve as ``(step, value)`` pairs, only the steps that have a value.

        Raises:
            KeyError: There is no such curve.
        """
        if name not in self.names:
            raise KeyError(f"no curve {name!r}; there are: {', '.join(self.names) or 'none'}")
        return [(int(row[_STEP]), row[name]) for row in self.rows if name in row]

    @property
    def validation(self) -> str | None:
        """The curve that tells best how good the model is, if a validation file was used.

        The whole validation file before batches of it, the loss before rewards and accuracies.
        """
        return next((name for name in _VALIDATION if name in self.names), None)

    @property
    def has_whole_validation(self) -> bool:
        """Whether there is a curve that was measured on the whole validation file."""
        return any(name.startswith(_WHOLE) for name in self.names)

    @property
    def losses(self) -> list[str]:
        """The names of the losses; without any, of the rewards, as reinforcement jobs have them."""
        names = self.names
        return [n for n in names if n.endswith("loss")] or [n for n in names if "reward" in n]

    def best(self, name: str | None = None, *, lowest: bool | None = None) -> tuple[int, float]:
        """Return the step with the best value of a curve, and that value; the earliest of equals.

        Args:
            name: The curve; by default `validation`.
            lowest: Whether low is good. By default it is for losses, errors, perplexity and KL,
                and not for accuracies, rewards and scores.

        Raises:
            KeyError: There is no such curve, or no validation curve.
            ValueError: The curve has no finite value.
        """
        chosen = name or self.validation
        if chosen is None:
            raise KeyError(f"no validation curve; there are: {', '.join(self.names) or 'none'}")
        if lowest is None:
            lowest = any(word in chosen.lower() for word in _LOW_IS_GOOD)
        finite = [(step, value) for step, value in self.series(chosen) if math.isfinite(value)]
        if not finite:
            raise ValueError(f"the curve {chosen!r} has no finite value")
        return (min if lowest else max)(finite, key=lambda point: point[1])

    def rise_since_best(self) -> float:
        """Return how much the loss on the validation file has risen since its lowest value.

        A fraction of the lowest value: 0.1 says that the last one is a tenth higher, and that the
        model has begun to learn its examples by heart (overfitting). 0.0 without such a loss.
        """
        name = self.validation
        if name is None or not name.endswith("loss"):
            return 0.0
        _, lowest = self.best(name)
        _, last = self.series(name)[-1]
        return (last - lowest) / lowest if lowest > 0 and last > lowest else 0.0

    def with_others(self, more: Metrics) -> Metrics:
        """Return these curves, and those of `more` whose names are not among them."""
        new = {_STEP, *more.names} - {*self.names}
        rows = [{name: row[name] for name in row if name in new} for row in more.rows]
        return Metrics(rows=_by_step([*self.rows, *rows]))

    def smoothed(self, weight: float = 0.6) -> Metrics:
        """Return the curves as exponential moving averages, corrected for their beginning.

        Args:
            weight: How much of the average so far is kept at each point, from 0 (nothing is
                smoothed) to below 1; 0.6 as in TensorBoard. Values that are not finite are left as
                they are, and do not count.

        Raises:
            ValueError: The weight is not from 0 to below 1.
        """
        if not 0 <= weight < 1:
            raise ValueError(f"weight must be from 0 to below 1, got {weight!r}")
        rows: list[dict[str, float]] = [dict(row) for row in self.rows]
        for name in self.names:
            average = total = 0.0
            for row in rows:
                value = row.get(name)
                if value is not None and math.isfinite(value):
                    average = weight * average + (1 - weight) * value
                    total = weight * total + (1 - weight)
                    row[name] = average / total
        return Metrics(rows=rows)

    def to_csv(self) -> str:
        """Return the curves as CSV: ``step`` and a column for each, empty where there is no value.

        `from_csv` reads it back (encoded as UTF-8).
        """
        text = io.StringIO(newline="")
        columns = [_STEP, *self.names]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for row in self.rows:
            writer.writerow([int(row[_STEP]), *(row.get(name, "") for name in columns[1:])])
        return text.getvalue()

    def to_dataframe(self) -> Any:
        """Return the curves as a `pandas.DataFrame`, indexed by step, NaN where there is no value.

        Raises:
            ImportError: pandas is not installed: ``pip install pandas``.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
        rows = [[row.get(name, math.nan) for name in self.names] for row in self.rows]
        index = pd.Index([int(row[_STEP]) for row in self.rows], name=_STEP)
        return pd.DataFrame(rows, columns=self.names, index=index, dtype=float)

    def to_svg(
        self,
        names: Sequence[str] | None = None,
        *,
        title: str = "",
        checkpoints: Iterable[FineTuningJobCheckpoint] = (),
        n_epochs: float | None = None,
    ) -> str:
        """Return a drawing of the curves: smoothed, with the raw values pale behind them.

        Args:
            names: The curves; by default `losses`.
            title: Stands above.
            checkpoints: Marked by lines at their steps.
            n_epochs: How many epochs the steps are; they become a second axis.

        Raises:
            KeyError: There is no such curve.
        """
        plotted = self._plotted(names)
        best = self._best_of(plotted)
        chart = svg.Chart(
            x_label="step",
            y_label=_y_label(plotted),
            title=title,
            faint=frozenset(name for name in plotted if name.endswith(_RAW)),
            marks={
                mark.step_number: mark.fine_tuned_model_checkpoint or mark.id
                for mark in checkpoints
                if mark.step_number is not None
            },
            best=best,
            epochs=n_epochs,
        )
        return svg.draw(plotted, chart)

    def _plotted(self, names: Sequence[str] | None) -> dict[str, list[tuple[int, float]]]:
        """Return what is drawn: a curve with many points is drawn raw and smoothed."""
        smooth = self.smoothed(_PLOT_WEIGHT)
        plotted: dict[str, list[tuple[int, float]]] = {}
        for name in self.losses if names is None else names:
            points = self.series(name)
            if len(points) > _NOISY:
                plotted[name + _RAW] = points
                points = smooth.series(name)
            plotted[name] = points
        return plotted

    def _best_of(self, plotted: Iterable[str]) -> tuple[int, float] | None:
        name = self.validation
        if name is None or name not in plotted or name + _RAW in plotted:
            return None
        try:
            return self.best(name)
        except ValueError:
            return None

    def _repr_html_(self) -> str:
        """Return the picture that a notebook shows, with the ends of each curve below it."""
        if not self:
            return f"<p>{escape(repr(self))}</p>"
        rows = []
        for name in self.names:
            points = self.series(name)
            (first, start), (last, end) = points[0], points[-1]
            rows.append((name, f"{start:.4g} (step {first})", f"{end:.4g} (step {last})"))
        return f"<div>{self.to_svg()}{html_table(('curve', 'first', 'last'), rows)}</div>"

    def plot(
        self,
        names: Sequence[str] | None = None,
        *,
        ax: Any = None,
        checkpoints: Iterable[FineTuningJobCheckpoint] = (),
        n_epochs: float | None = None,
    ) -> Any:
        """Draw the curves with matplotlib, and return its `Axes`.

        Args:
            names: The curves; by default `losses`.
            ax: Where to draw; by default on a new figure.
            checkpoints: Marked by lines at their steps.
            n_epochs: How many epochs the steps are; they become a second axis.

        Raises:
            ImportError: matplotlib is not installed: ``pip install finetune-client[plot]``.
            KeyError: There is no such curve.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            message = "plot() needs matplotlib: pip install 'finetune-client[plot]'"
            raise ImportError(message) from error
        if ax is None:
            ax = Figure(figsize=(8, 4.5), layout="constrained").add_subplot()
        plotted = self._plotted(names)
        for name, points in plotted.items():
            steps, values = zip(*points, strict=True)
            if name.endswith(_RAW):
                colour = ax.plot(steps, values, alpha=0.3, linewidth=1)[0].get_color()
                ax.lines[-1].set_label("_" + name)
            else:
                raw = name + _RAW in plotted
                marker = "o" if len(points) == 1 else None
                ax.plot(steps, values, label=name, marker=marker, color=colour if raw else None)
        for mark in checkpoints:
            if mark.step_number is not None:
                ax.axvline(mark.step_number, linestyle=":", color="grey", linewidth=1)
        best = self._best_of(plotted)
        if best is not None:
            label = f"best: {best[1]:.4g} at step {best[0]}"
            ax.plot(*best, "o", markersize=10, fillstyle="none", color="black", label=label)
        ax.set_xlabel("step")
        ax.set_ylabel(_y_label(plotted))
        if n_epochs and self.rows:
            per_epoch = self.rows[-1][_STEP] / n_epochs
            top = ax.secondary_xaxis(
                "top", functions=(lambda x: x / per_epoch, lambda x: x * per_epoch)
            )
            top.set_xlabel("epoch")
        if plotted:
            ax.legend()
        return ax

    def log_to(self, run: Any) -> None:
        """Give each step to a run of trackio, Weights & Biases, or whatever has their ``log``.

        Args:
            run: ``run.log({name: value, ...}, step=step)`` is called for each row.
        """
        for row in self.rows:
            values = {name: value for name, value in row.items() if name not in _NOT_CURVES}
            if values:
                run.log(values, step=int(row[_STEP]))

    def __bool__(self) -> bool:
        return bool(self.names)

    def __repr__(self) -> str:
        """Show how much there is, not all of it: a long job has thousands of rows."""
        return f"Metrics({counted(len(self.rows), 'step')}: {', '.join(self.names) or 'no curves'})"

    @classmethod
    def from_events(cls, events: Iterable[FineTuningJobEvent]) -> Metrics:
        """Read the numbers of a job's events, in whatever order they come.

        Events without a ``step`` in their ``data`` are skipped. Numbers inside objects get dotted
        names (``scores.accuracy``); lists and texts are skipped.
        """
        return cls(rows=_by_step(dict(_numbers(event.data)) for event in events if event.data))

    @classmethod
    def from_checkpoints(cls, checkpoints: Iterable[FineTuningJobCheckpoint]) -> Metrics:
        """Read the metrics of a job's checkpoints, in whatever order they come.

        The step is that of the metrics, or else the checkpoint's; without one it is skipped.
        """
        rows = (
            {_STEP: checkpoint.step_number, **dict(_numbers(checkpoint.metrics.to_dict()))}
            for checkpoint in checkpoints
            if checkpoint.metrics is not None
        )
        return cls(rows=_by_step(rows))

    @classmethod
    def from_csv(cls, content: bytes) -> Metrics:
        """Read a result file.

        Args:
            content: The file's bytes: CSV, or CSV in base64 as OpenAI sends it. Cells that are not
                numbers are skipped, and so are rows whose ``step`` is not; without a ``step``
                column the rows are counted from 1.
        """
        rows = (
            _cells(line) if _STEP in map(_name, line) else {_STEP: float(number), **_cells(line)}
            for number, line in enumerate(_lines(_text(content)), start=1)
        )
        return cls(rows=_by_step(rows))


@dataclass(kw_only=True, slots=True)
class Comparison:
    """Runs side by side, the best first.

    Attributes:
        name: The curve by which they are compared.
        rows: For each run its label, its best value, the step of that, and its last value.
            Runs that have no such curve come last, with NaN.
        curves: Label -> the curve.
    """

    name: str
    rows: list[tuple[str, float, int, float]]
    curves: dict[str, list[tuple[int, float]]]

    def __str__(self) -> str:
        """Return a table of plain text."""
        width = max([len("run"), *(len(label) for label, *_ in self.rows)])
        lines = [f"{'run':<{width}}  {'best':>10}  {'at step':>8}  {'last':>10}"]
        for label, best, step, last in self.rows:
            if math.isnan(best):
                lines.append(f"{label:<{width}}  no {self.name}")
            else:
                lines.append(f"{label:<{width}}  {best:>10.4g}  {step:>8}  {last:>10.4g}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (label, None, None, None)
            if math.isnan(best)
            else (label, f"{best:.4g}", step, f"{last:.4g}")
            for label, best, step, last in self.rows
        ]
        table = html_table(("run", "best", "at step", "last"), rows)
        picture = svg.draw(self.curves, svg.Chart(y_label=self.name, title=self.name))
        return f"<div>{picture}{table}</div>"


def compare(
    runs: Mapping[str, Metrics], name: str | None = None, *, lowest: bool | None = None
) -> Comparison:
    """Compare runs by their best value of one curve.

    Args:
        runs: Label -> curves, such as ``{job.id: client.jobs.metrics(job) for job in jobs}``.
        name: The curve; by default the first run's `Metrics.validation`, else its first loss.
        lowest: Whether low is good, see `Metrics.best`.

    Raises:
        ValueError: No run has any curve.
    """
    with_curves = [metrics for metrics in runs.values() if metrics]
    if not with_curves:
        raise ValueError("none of the runs has a curve to compare")
    first = with_curves[0]
    chosen = name or first.validation or [*first.losses, *first.names][0]
    if lowest is None:
        lowest = any(word in chosen.lower() for word in _LOW_IS_GOOD)
    rows, curves = [], {}
    for label, metrics in runs.items():
        try:
            step, best = metrics.best(chosen, lowest=lowest)
        except (KeyError, ValueError):
            rows.append((label, math.nan, 0, math.nan))
            continue
        curves[label] = metrics.series(chosen)
        rows.append((label, best, step, curves[label][-1][1]))
    sign = 1 if lowest else -1
    rows.sort(key=lambda row: (math.isnan(row[1]), sign * row[1]))
    return Comparison(name=chosen, rows=rows, curves=curves)


def _y_label(names: Iterable[str]) -> str:
    plain = [name.removesuffix(_RAW) for name in names]
    for word in ("loss", "reward", "accuracy"):
        if plain and all(word in name for name in plain):
            return word
    return "value"


def _by_step(rows: Iterable[Mapping[str, float | None]]) -> list[dict[str, float]]:
    """Merge rows of the same step, and sort them by step."""
    steps: dict[int, dict[str, float]] = {}
    for row in rows:
        step = row.get(_STEP)
        if step is not None and math.isfinite(step):
            known = steps.setdefault(int(step), {})
            for name, value in row.items():
                if value is not None and is_measured(name, value):
                    known[name] = value
    return [steps[step] for step in sorted(steps)]


def _numbers(data: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers in an object and in the objects in it, which may be nested very deep."""
    levels = [("", iter(data.items()))]
    while levels:
        prefix, items = levels[-1]
        for key, value in items:
            if isinstance(value, dict):
                levels.append((f"{prefix}{key}.", iter(value.items())))
                break
            if _is_number(value):
                yield f"{prefix}{key}", value
        else:
            levels.pop()


def _is_number(value: object) -> bool:
    """Return whether it is a number, but not an integer that is larger than any float."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float)


def _lines(text: str) -> Iterator[dict[Any, Any]]:
    """Yield the lines of a CSV; one with a field that is too long for the reader is skipped."""
    plain = text.replace("\0", "")  # the reader of Python 3.10 refuses NUL
    reader = csv.DictReader(io.StringIO(plain, newline=""))
    line: dict[Any, Any] | None = {}
    while line is not None:
        with suppress(csv.Error):  # the reader continues with the next line
            line = next(reader, None)
            if line:
                yield line


def _name(column: object) -> str:
    return column.strip() if isinstance(column, str) else ""


def _cells(line: Mapping[Any, Any]) -> dict[str, float]:
    cells: dict[str, float] = {}
    for column, cell in line.items():
        if (name := _name(column)) and isinstance(cell, str):
            try:
                cells[name] = float(cell)
            except ValueError:
                continue
    return cells


def _text(content: bytes) -> str:
    plain = content.removeprefix(b"\xef\xbb\xbf").strip()
    if b"," in plain.partition(b"\n")[0]:
        return plain.decode("utf-8", "replace")
    try:
        decoded = base64.b64decode(b"".join(plain.split()), validate=True)
        return decoded.decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError):
        return plain.decode("utf-8", "replace")
