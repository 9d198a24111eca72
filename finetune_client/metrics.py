"""The training curves of a job, from its result file, its events or its checkpoints."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from finetune_client.models import FineTuningJobCheckpoint, FineTuningJobEvent

__all__ = ["Metrics", "is_measured"]

_STEP = "step"
_NOT_CURVES = frozenset({_STEP, "total_steps"})

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

    def __bool__(self) -> bool:
        return bool(self.names)

    def __repr__(self) -> str:
        """Show how much there is, not all of it: a long job has thousands of rows."""
        return f"Metrics({len(self.rows)} steps: {', '.join(self.names) or 'no curves'})"

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
