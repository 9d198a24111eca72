"""Processes: whether they have ended, and ending them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

__all__ = ["end_with", "is_running", "wait_until_ended"]

_MOST_SECONDS = 60


def end_with(number: signal.Signals, child: subprocess.Popen[str]) -> tuple[str, str]:
    """Send a signal to a child that is to end by it, and return what it has written meanwhile.

    One that does not end is killed, and the failure says where its threads stood: `PYTHONFAULTHANDLER`,
    which is set for all tests, lets it write that when it is aborted.
    """
    child.send_signal(number)
    try:
        output, errors = child.communicate(timeout=_MOST_SECONDS)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGABRT)
        output, errors = child.communicate(timeout=_MOST_SECONDS)
        pytest.fail(f"{number.name} did not end it in {_MOST_SECONDS} seconds:\n{output}{errors}")
    return output or "", errors or ""


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
