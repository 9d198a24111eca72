"""Processes that are not our own children: whether they have ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["is_running", "wait_until_ended"]


def is_running(process: int) -> bool:
    """Whether a process runs; POSIX alone."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    # One that nobody has waited for is still listed.
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until_ended(process: int) -> None:
    """Wait for it, 20 seconds at most."""
    deadline = time.monotonic() + 20
    while is_running(process):
        assert time.monotonic() < deadline
        time.sleep(0.02)
