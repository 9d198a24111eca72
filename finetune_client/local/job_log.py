"""Reading the log of a job from a server's directory, whether a server is running on it or not.

A log is no part of the API: it holds paths, and whatever libraries have to say, which is nothing for
a server to send to everybody who may ask it. Who may read the directory may read all that it holds.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from finetune_client.backports import Self
from finetune_client.errors import FineTuneError
from finetune_client.local.storage.database import DATABASE_FILE
from finetune_client.local.storage.job_logs import open_log
from finetune_client.local.training.job import FINAL_STATUSES

__all__ = ["read_job_log"]

_POLL_SECONDS = 0.5


def read_job_log(
    directory: str | os.PathLike[str],
    job_id: str,
    *,
    lines: int | None = None,
    follow: bool = False,
    on_status: Callable[[str], object] = lambda _: None,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[str]:
    """Return the lines of a job's log: what the processes printed that trained it.

    Of a job that has ended the last 256 KiB are kept. A job of ``tiny`` has no log, since no process
    of its own trains it.

    Args:
        directory: The directory of an embedded server, which may be running or not.
        job_id: The id of a job in it, of any project.
        lines: How many of the last lines that are there now; `None` for all.
        follow: Yield further lines as they are written, until the job has ended; wait for the first.
        on_status: With ``follow`` called with the job's status, and again whenever that has changed.
        sleep: Waits for so many seconds.

    Raises:
        FineTuneError: The directory is not a server's or has no such job, or the job has no log.
        OSError: The log cannot be read.
    """
    root = Path(directory)
    status, base = _job(root, job_id)
    log = _Log(root, job_id)
    is_over = status in FINAL_STATUSES
    if not log.is_there() and base == "tiny":
        raise FineTuneError(
            f"The job {job_id} has no log: 'tiny' is trained within the server, not by a process of "
            "its own. The job's events say how it went."
        )
    if follow and not is_over:
        return _follow(log, lines, on_status, sleep)
    if not log.is_there():
        raise _without_log(job_id, status)
    if follow:
        on_status(status)
    with log:
        return iter(deque([*log.read(), *log.rest()], lines))


def _follow(
    log: _Log,
    lines: int | None,
    on_status: Callable[[str], object],
    sleep: Callable[[float], object],
) -> Iterator[str]:
    reported = None
    with log:
        if log.is_there():
            yield from deque(log.read(), lines)
        while True:
            status, _ = _job(log.root, log.job_id)  # before the last look at the log
            if status != reported:
                on_status(status)
                reported = status
            yield from log.read()
            if status in FINAL_STATUSES:
                yield from log.rest()
                if not log.is_there():
                    raise _without_log(log.job_id, status)
                return
            sleep(_POLL_SECONDS)


class _Log:
    """A log that may not be there yet, read by whole lines."""

    def __init__(self, root: Path, job_id: str) -> None:
        self.root = root
        self.job_id = job_id
        self._file: BinaryIO | None = None
        self._rest = b""

    def is_there(self) -> bool:
        """Return whether it is there; it stays so from then on."""
        if self._file is None:
            handle = open_log(self.root, self.job_id)
            self._file = None if handle is None else os.fdopen(handle, "rb")
        return self._file is not None

    def read(self) -> list[str]:
        """Return the whole lines that have come since the last call."""
        if not self.is_there() or self._file is None:
            return []
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [_shown(line) for line in whole]

    def rest(self) -> list[str]:
        """Return what comes after the last whole line, if anything does."""
        return [_shown(self._rest)] if self._rest else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _shown(line: bytes) -> str:
    """Return a line as a terminal shows it in the end: a bar writes itself over and over."""
    return line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]


def _job(root: Path, job_id: str) -> tuple[str, str]:
    """Return the status and the base model of a job.

    Raises:
        FineTuneError: There is no such directory or job.
    """
    path = root / DATABASE_FILE
    if not path.is_file():
        raise FineTuneError(
            f"There is no embedded server's directory at {str(root)!r}, so there are no logs in it. "
            "Name the directory in which the job was trained."
        )
    try:
        # Writable where it may be: a log of changes that a killed server left has to be read back.
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as database:
            found = database.execute("SELECT status, base FROM jobs WHERE id = ?", (job_id,))
            row = found.fetchone()
    except sqlite3.Error as error:
        raise FineTuneError(f"The state in {str(root)!r} cannot be read: {error}.") from None
    if row is None:
        raise FineTuneError(f"There is no job {job_id!r} in the directory {str(root)!r}.")
    status, base = row
    return str(status), str(base)


def _without_log(job_id: str, status: str) -> FineTuneError:
    if status in FINAL_STATUSES:
        reason = "It ended before a process began to train it, or before logs were kept."
    else:
        reason = "It begins when a process begins to train the job; follow waits for that."
    return FineTuneError(f"The job {job_id} has no log; its status is {status}. {reason}")
