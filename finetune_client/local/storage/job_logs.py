"""Where the log of a job is: in the job's directory while it lives, and in ``logs/`` afterwards."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from finetune_client.atomic_file import replacing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEPT_LOG_BYTES", "LOG_FILE", "TRAINER_DIRECTORY", "has_log", "keep_log", "open_log"]

TRAINER_DIRECTORY = "trainer"
"""The name of the trainer's own directory in that of a job; see `TrainingTask.directory`."""

LOG_FILE = "log.txt"
"""The name of the file in it that a trainer may write a log to."""

KEPT_LOG_BYTES = 262_144
"""How much is kept of the log of a job that has ended: its end."""

_log = logging.getLogger("finetune_client.local")


def _live(root: Path, job_id: str) -> Path:
    return root / "jobs" / job_id / TRAINER_DIRECTORY / LOG_FILE


def _kept(root: Path, job_id: str) -> Path:
    return root / "logs" / f"{job_id}.txt"


def has_log(root: Path, job_id: str) -> bool:
    """Return whether anything is in the log of a job that has not ended."""
    try:
        return _live(root, job_id).stat().st_size > 0
    except FileNotFoundError:
        return False


def open_log(root: Path, job_id: str) -> int | None:
    """Open the log of a job for reading, and return its descriptor; `None` if there is none.

    What the descriptor reads stays the whole log even if the job ends meanwhile.

    Args:
        root: The server's directory.
        job_id: The id of a job that the server has.

    Raises:
        OSError: It is there, and cannot be read.
    """
    for path in (_live(root, job_id), _kept(root, job_id)):
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    return None


def keep_log(root: Path, job_id: str) -> None:
    """Keep the log of a job whose directory is about to be removed, or its end if it is long.

    A log that cannot be kept, such as on a full disk, is lost with a warning: the job has ended all
    the same.

    Args:
        root: The server's directory.
        job_id: The id of the job.
    """
    source, target = _live(root, job_id), _kept(root, job_id)
    try:
        size = source.stat().st_size
        if not size:
            return
        target.parent.mkdir(exist_ok=True)
        if size <= KEPT_LOG_BYTES:
            source.replace(target)
            return
        with source.open("rb") as log, replacing(target) as file:
            log.seek(size - KEPT_LOG_BYTES)
            log.readline()  # the rest of a line
            file.write(log.read())
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("The log of job %s could not be kept: %s", job_id, error)
