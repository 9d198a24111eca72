"""Ending a process of a run when its server, its launcher or the job has ended.

The kernel's own way (``PR_SET_PDEATHSIG``) is not used: it fires when the *thread* ends that started
the process, and the server's threads come and go. Behind ``torchrun`` a rank's parent is not the
server, so the server's lock on a file is watched too: the system releases it when the server
dies, however it dies.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from finetune_client.file_lock import lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from finetune_client.local.training.llm.run_directory import RunDirectory

__all__ = ["watch", "watch_parent"]

_CANCELLED = 3
_ORPHANED = 4
"""Exit statuses, for whoever looks at them; the server reads events."""
_SECONDS = 0.25


def watch(run: RunDirectory) -> None:
    """Start a thread that ends this process, without any cleaning up, when nobody wants its run."""

    def look() -> None:
        if run.is_cancel_requested():
            _end(_CANCELLED, "The run was cancelled.")
        if _is_free(run.owner):
            _end(_ORPHANED, "The server of this run has ended.")

    watch_parent(look)


def watch_parent(look: Callable[[], None] = lambda: None) -> None:
    """Start a thread that ends this process when its parent has ended.

    Args:
        look: Called again and again by that thread.
    """
    parent = os.getppid()

    def repeat() -> None:
        while True:
            look()
            if os.getppid() != parent:
                _end(_ORPHANED, "The process that started this one has ended.")
            time.sleep(_SECONDS)

    threading.Thread(target=repeat, name="finetune-watch", daemon=True).start()


def _end(status: int, message: str) -> None:
    with suppress(OSError):  # a pipe whose reader has ended too
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - the log of the run
    os._exit(status)


def _is_free(path: Path) -> bool:
    """Return whether nobody holds the lock; a file that is gone was released."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except PermissionError:  # Windows, while the file is being deleted
        return False
    try:
        return lock(handle)
    except OSError:  # a file system without locks: the parent is watched alone
        return False
    finally:
        os.close(handle)
