"""What Ctrl-C does, and a signal that ends a command: its exit status, and what is said of the job.

A command that is stopped raises `KeyboardInterrupt` with one of these sentences, or with none.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "INTERRUPTED",
    "NOTHING_CREATED",
    "end_as_ctrl_c_does",
    "end_at_the_next_one",
    "while_creating",
    "while_training_here",
    "while_watching",
    "while_watching_several",
]

INTERRUPTED: Final = 130
"""The exit status of a command that was stopped."""

NOTHING_CREATED: Final = "Stopped; no job was created."

_ENDING_SIGNALS = ("SIGTERM", "SIGHUP")


def while_creating(server: str) -> str:
    """Return what is said when a create is under way; ``server`` are the options that name it."""
    return (
        f"Stopped while the job was being created: it may exist. Look with: finetune list{server}"
    )


def while_watching(job_id: str, follow_arguments: str) -> str:
    """Return what is said of a job that another machine trains: it continues."""
    return (
        f"Stopped watching; job {job_id} continues. "
        f"Follow it with: finetune follow {follow_arguments}"
    )


def while_watching_several(follow_arguments: str) -> str:
    """Return what is said of several jobs."""
    return (
        f"Stopped watching; the jobs continue. Follow them with: finetune follow {follow_arguments}"
    )


def while_training_here(job_id: str, follow_arguments: str) -> str:
    """Return what is said of a job that this process trained: it is stopped too."""
    return (
        f"Stopped. Job {job_id} was trained in this process; it continues from its last "
        f"checkpoint with: finetune follow {follow_arguments}"
    )


def end_as_ctrl_c_does() -> None:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, so that temporary files are removed."""
    _replace_handlers(signal.SIG_DFL, _interrupt, *_ENDING_SIGNALS)


def end_at_the_next_one() -> None:
    """Let the next of these signals, and of Ctrl-C, end what is still running."""
    _replace_handlers(_interrupt, signal.SIG_DFL, *_ENDING_SIGNALS)
    _replace_handlers(signal.default_int_handler, signal.SIG_DFL, "SIGINT")


def _replace_handlers(
    before: Callable[..., object] | int, after: Callable[..., object] | int, *names: str
) -> None:
    """Replace the handler ``before`` of these signals by ``after``; other handlers stay."""
    if threading.current_thread() is not threading.main_thread():
        return  # Python lets only the main thread set signal handlers
    for name in names:
        number = getattr(signal, name, None)  # Windows lacks SIGHUP
        if number is not None and signal.getsignal(number) is before:
            signal.signal(number, after)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
