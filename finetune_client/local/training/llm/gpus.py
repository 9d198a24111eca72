"""Sharing the GPUs of a machine out to jobs, which wait for theirs in order."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["GpuPool", "visible_gpus"]

_POLL_SECONDS = 0.1


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    with suppress(OSError, subprocess.SubprocessError):
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        listed = subprocess.run(  # noqa: S603 - the driver's own program
            command, check=True, capture_output=True, text=True, timeout=30
        )
        return listed.stdout.split()
    return []


class GpuPool:
    """GPUs that jobs take and give back.

    Args:
        gpus: Their names.
        per_job: How many each job gets.

    Raises:
        ValueError: There are fewer than one job needs.
    """

    def __init__(self, gpus: Sequence[str], per_job: int) -> None:
        if not 0 < per_job <= len(gpus):
            raise ValueError(
                f"A job cannot have {per_job} GPUs: there are {len(gpus)} on this machine."
            )
        self._free = list(gpus)
        self._per_job = per_job
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    def take(self, is_given_up: Callable[[], bool]) -> list[str]:
        """Wait for a job's GPUs, and return their names; none if it is given up meanwhile."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not is_given_up():
                    if self._waiting[0] is ticket and len(self._free) >= self._per_job:
                        taken = self._free[: self._per_job]
                        del self._free[: self._per_job]
                        return taken
                    self._changed.wait(_POLL_SECONDS)
                return []
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_back(self, gpus: Sequence[str]) -> None:
        """Let the next job have GPUs."""
        with self._changed:
            self._free += gpus
            self._changed.notify_all()
