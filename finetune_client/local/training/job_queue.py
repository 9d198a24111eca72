"""A queue of jobs and the threads that work on it: one checks files, some train."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from finetune_client.local.storage.store import system_reason
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.training.job import TrainingJob

__all__ = ["JobQueue"]

_log = logging.getLogger("finetune_client.local")


class JobQueue:
    """A queue of jobs, and its worker threads, which start with the first job.

    Args:
        name: Part of the threads' names.
        work: Called with each job. What it raises ends the job as failed.
        threads: How many jobs are worked on at once.
    """

    def __init__(self, name: str, work: Callable[[TrainingJob], None], threads: int) -> None:
        self._work = work
        self._queue: queue.SimpleQueue[TrainingJob | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"finetune-{name}-{number}", daemon=True)
            for number in range(threads)
        ]

    def put(self, job: TrainingJob) -> None:
        """Queue a job. Only one thread may call this at a time."""
        for thread in self._threads:
            if thread.ident is None:
                thread.start()
        self._queue.put(job)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            self._work_on(job)

    def _work_on(self, job: TrainingJob) -> None:
        job.is_busy = True
        try:
            self._work(job)
        except TrainingError as error:
            self._fail(job, error.code, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a trainer raises must end its job
            if not job.has_ended:  # or it was interrupted, and may complain of that
                _log.exception("job %s failed within the server", job.id)
            message = f"The server failed while it worked on this job{system_reason(error)}"
            self._fail(job, "server_error", message)
        finally:
            job.is_busy = False
            job.clean_up()

    @staticmethod
    def _fail(job: TrainingJob, code: str, message: str) -> None:
        try:
            job.fail(code, message)
        except OSError:  # such as a disk that is full; there may be room again for the next job
            _log.exception("the end of job %s could not be saved", job.id)

    def close(self) -> None:
        """End each thread once it has done what it is working on; `join` waits for that."""
        for _ in self._threads:
            self._queue.put(None)

    def join(self, seconds: float) -> bool:
        """Wait for the threads to end, for so long at most, and return whether they have."""
        deadline = time.monotonic() + seconds
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in started)
