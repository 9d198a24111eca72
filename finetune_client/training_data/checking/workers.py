"""One file read by several processes, each its own part of it.

The processes are started as fresh interpreters that are sent their work through pipes, not forked: that is
safe where threads run, needs no ``if __name__ == "__main__"`` in the user's script and is the
same on every system. They share one key of `hash`, so that their hashes can be compared.
"""

from __future__ import annotations

import os
import pickle
import queue
import secrets
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from finetune_client.training_data.checking.blocks import blocks, next_line_start
from finetune_client.training_data.checking.counts import FileCounts
from finetune_client.training_data.checking.lines import CheckSettings, LineChecker, hash_lines
from finetune_client.training_data.line_hashes import LineHashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Job", "WorkersFailedError", "jobs_for", "main", "number_of_workers", "run"]

_MOST_WORKERS = 4
_LEAST_BYTES = 64 * 1024 * 1024
"""A file from this size on is read by several processes; starting one takes a tenth of a second."""
_LEAST_BYTES_EXACT = 8 * 1024 * 1024
"""The same where tokens are counted, which takes much longer than all the rest."""
REPORT_EVERY = 4 * 1024 * 1024
"""Bytes between two reports of progress."""

_START = """
import sys
sys.path[:] = filter(None, sys.path)
from finetune_client.training_data.checking.workers import main
main()
"""
"""What a process runs. It imports nothing from the current folder, which ``-c`` puts first."""


class WorkersFailedError(Exception):
    """A process could not be started, could not be sent its part, or did not finish it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What one process does.

    Attributes:
        path: The file.
        start, stop: Its bytes, from the beginning of a line to the beginning of another.
        settings: How they are checked; None only takes the hashes of the lines.
        max_line_bytes: Bytes of the longest line that is read.
    """

    path: str
    start: int
    stop: int
    settings: CheckSettings | None
    max_line_bytes: int


def number_of_workers(size: int, *, exact: bool) -> int:
    """Return how many processes should read a file of so many bytes."""
    least = _LEAST_BYTES_EXACT if exact else _LEAST_BYTES
    if size < least:
        return 1
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(_MOST_WORKERS, processors, 2 * size // least))


def jobs_for(path: str, size: int, settings: CheckSettings, number: int) -> list[Job]:
    """Split a file at the beginnings of lines."""
    starts = [0]
    with open(path, "rb") as file:  # noqa: PTH123 - a str is as good as a Path
        for index in range(1, number):
            position = max(size * index // number, starts[-1])
            file.seek(position)
            starts.append(min(next_line_start(file, position), size))
    stops = [*starts[1:], size]
    return [
        Job(
            path=path,
            start=start,
            stop=stop,
            settings=settings,
            max_line_bytes=settings.max_line_bytes,
        )
        for start, stop in zip(starts, stops, strict=True)
        if start < stop
    ]


def run(jobs: list[Job], progress: Callable[[int], None]) -> list[FileCounts | LineHashes]:
    """Do each job in a process of its own and return the results in order.

    Args:
        jobs: The jobs.
        progress: Is called with the bytes read by all of them so far.

    Raises:
        WorkersFailedError: One of them failed; the others are stopped.
    """
    messages: queue.Queue[tuple[int, Any]] = queue.Queue()
    done = [0] * len(jobs)
    results: dict[int, FileCounts | LineHashes] = {}
    with ExitStack() as stack:
        environment = _environment()
        for index, job in enumerate(jobs):
            pipe = stack.enter_context(_started(job, environment))
            threading.Thread(target=_receive, args=(index, pipe, messages), daemon=True).start()
        while len(results) < len(jobs):
            index, message = messages.get()
            if isinstance(message, int):
                done[index] = message
                progress(sum(done))
            elif isinstance(message, (FileCounts, LineHashes)):
                results[index] = message
            else:
                raise WorkersFailedError(f"A process that read {jobs[index].path} did not finish.")
    return [results[index] for index in range(len(jobs))]


def _environment() -> dict[str, str]:
    paths = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109 - what sys.path means
    seed = str(secrets.randbelow(2**32 - 1) + 1)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": seed}


@contextmanager
def _started(job: Job, environment: dict[str, str]) -> Iterator[IO[bytes]]:
    """Start a process and send it its job; it is stopped when the block ends, however that ends."""
    try:
        part = pickle.dumps(job)
        process = subprocess.Popen(  # noqa: S603 - this very Python, with a text of our own
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, ValueError, TypeError, AttributeError, pickle.PicklingError) as wrong:
        raise WorkersFailedError(f"A process to read {job.path} cannot be started.") from wrong
    with process:
        if process.stdin is None or process.stdout is None:
            raise WorkersFailedError(f"A process to read {job.path} has no pipes.")
        try:
            _send(process.stdin, part)
            yield process.stdout
        finally:
            process.kill()


def _send(pipe: IO[bytes], part: bytes) -> None:
    try:
        with pipe:
            pipe.write(part)
    except OSError as wrong:
        raise WorkersFailedError("A process ended before it was sent its part.") from wrong


def _receive(index: int, pipe: IO[bytes], messages: queue.Queue[tuple[int, Any]]) -> None:
    """Pass on what a process sends; None if it ends without a result."""
    message: Any = 0
    while isinstance(message, int):
        try:
            message = pickle.load(pipe)  # noqa: S301 - written by a process that this one started
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            message = None
        messages.put((index, message))


def main() -> None:
    """Do the job that standard input holds, and write progress and result to standard output."""
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what a user's count_tokens prints goes elsewhere
        job = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the process that started us
        pickle.dump(work(job, lambda done: _send_progress(out, done)), out)


def _send_progress(out: IO[bytes], done: int) -> None:
    pickle.dump(done, out)
    out.flush()


def work(job: Job, progress: Callable[[int], None]) -> FileCounts | LineHashes:
    """Do a job in this process; `progress` is called with the bytes read, now and then."""
    with open(job.path, "rb") as file:  # noqa: PTH123 - a str is as good as a Path
        file.seek(job.start)
        read = blocks(file, job.max_line_bytes, job.stop - job.start)
        if job.settings is None:
            return hash_lines(read)
        checker = LineChecker(job.settings, begins_file=job.start == 0)
        reported = 0
        for block in read:
            checker.check(block)
            if checker.counts.size - reported >= REPORT_EVERY:
                reported = checker.counts.size
                progress(reported)
        return checker.counts
