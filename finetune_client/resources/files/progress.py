"""Progress of a transfer: a function of the caller's, or a bar."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from finetune_client.errors import ConfigurationError
from finetune_client.resources.arguments import check_callable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["OnProgress", "Progress", "ignore_progress", "open_progress", "terminal_bar"]

OnProgress: TypeAlias = Callable[[int, int], object]
"""Called with the bytes done so far and the bytes in all."""

Progress: TypeAlias = OnProgress | bool | None
"""A function ``(done, total)``; `True` for a bar: in a terminal rich draws it, in a notebook the
notebook does."""

_WIDTH: Final = 30


def ignore_progress(done: int, total: int) -> None:
    """Do nothing: nobody asked for the progress."""


@contextmanager
def open_progress(progress: Progress, label: str) -> Iterator[OnProgress]:
    """Yield the function to call while a transfer runs; a bar is removed at the end.

    Raises:
        RequestError: ``progress`` is of the wrong kind.
        ConfigurationError: A bar is asked for in a terminal, and rich is not installed.
    """
    if not isinstance(progress, bool):
        check_callable("progress", progress)
    if callable(progress):
        yield progress
    elif progress:
        show = _notebook_display()
        with terminal_bar(label) if show is None else _notebook_bar(label, show) as on_progress:
            yield on_progress
    else:
        yield ignore_progress


@contextmanager
def terminal_bar(
    label: str, *, console: Console | None = None, transient: bool = False
) -> Iterator[OnProgress]:
    """Draw a bar over bytes in a terminal.

    Args:
        label: What stands before the bar.
        console: Where to draw; standard error by default.
        transient: Whether the bar disappears when it is done.

    Raises:
        ConfigurationError: rich is not installed.
    """
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
    with Bar(*columns, console=console or Console(stderr=True), transient=transient) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _notebook_display() -> Any:
    """Return the function that shows things in a notebook; `None` outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    return importlib.import_module("IPython.display").display


@contextmanager
def _notebook_bar(label: str, show: Any) -> Iterator[OnProgress]:
    """Draw the bar as one line of text, which needs no widgets; it changes a hundred times at most."""
    line = _line(label, 0, 0)
    handle = show({"text/plain": line}, raw=True, display_id=True)

    def update(done: int, total: int) -> None:
        nonlocal line
        drawn, line = line, _line(label, done, total)
        if line != drawn:
            handle.update({"text/plain": line}, raw=True)

    yield update


def _line(label: str, done: int, total: int) -> str:
    percent = 100 * done // total if total else 0
    full = "█" * (_WIDTH * percent // 100)
    return f"{label} {full:░<{_WIDTH}} {percent:3} % of {total / 1e6:.1f} MB"
