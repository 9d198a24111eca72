"""Telling how far a transfer is: a function of the caller's, or a bar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from finetune_client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Progress", "Report", "reporting", "silent"]

Report: TypeAlias = Callable[[int, int], None]
"""Called with the bytes done so far and the bytes in all."""

Progress: TypeAlias = "Report | bool | None"
"""A function ``(done, total)``; `True` for a bar, drawn by rich in a terminal or a notebook."""


def silent(done: int, total: int) -> None:
    """Tell nobody."""


@contextmanager
def reporting(progress: Progress, label: str) -> Iterator[Report]:
    """Give the function to call as a transfer goes on; a bar is taken down at the end.

    Raises:
        ConfigurationError: A bar is asked for and rich is not installed.
    """
    if callable(progress):
        yield progress
    elif progress:
        with _bar(label) as report:
            yield report
    else:
        yield silent


@contextmanager
def _bar(label: str) -> Iterator[Report]:
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress as Bar,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
    except ImportError:
        raise ConfigurationError(
            "progress=True draws a bar with rich, which is not installed. Install it with "
            "pip install 'finetune-client[cli]', or give a function: progress=lambda done, total: ..."
        ) from None
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
