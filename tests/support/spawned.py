"""What tests run in processes that `multiprocessing` starts anew, as it does on Windows and macOS.

Such a process imports what it runs by name, so it stands here and not in a test.
"""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from finetune_client.file_lock import LockFile
from finetune_client.ledger import Ledger, request_digest
from finetune_client.training_data import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from finetune_client.training_data import Statistics

__all__ = ["SERVER", "acquired", "checked", "created", "in_processes"]

SERVER = "https://api.example.com/v1"


def in_processes(function: Callable[..., Any], *calls: tuple[Any, ...]) -> list[Any]:
    """Make each call in a process of its own, all at the same time, and return the results."""
    with multiprocessing.get_context("spawn").Pool(len(calls)) as pool:
        return pool.starmap(function, calls, chunksize=1)


def checked(path: Path, workers: int) -> tuple[bool, Statistics, list[str]]:
    """Check a file; return whether it is good, the figures, and the problems' codes."""
    report = check(path, workers=workers)
    return report.ok, report.statistics, [one.code for one in report.problems]


def created(path: Path, job_id: str) -> str:
    """Create a job in a ledger as a caller would; return the one that there is then."""
    digest = request_digest({"model": "tiny", "training_file": "file-1"})
    with Ledger(path).begin(SERVER, "k", digest, timeout=60) as claim:
        if claim.job_id is None:
            claim.created(job_id)
        assert claim.job_id is not None
        return claim.job_id


def acquired(path: Path) -> bool:
    """Try to acquire a lock, and let go of it."""
    lock = LockFile(path)
    try:
        return lock.acquire()
    finally:
        lock.release()
