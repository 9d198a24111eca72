"""The threads behind the jobs: one that checks files, some that train."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from finetune_client.local.http.errors import because
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.training.job import Job

__all__ = ["Lane"]

_log = logging.getLogger("finetune_client.local")


class Lane:
    """A queue of jobs and the threads that take them, which start with the first job."""

    def __init__(self, name: str, work: Callable[[Job], None], threads: int) -> None:
        self._work = work
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"finetune-{name}-{number}", daemon=True)
            for number in range(threads)
        ]

    def put(self, job: Job) -> None:
        """Queue a job. Called by one thread at a time."""
        for thread in self._threads:
            if thread.ident is None:
                thread.start()
        self._queue.put(job)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            self._take(job)

    def _take(self, job: Job) -> None:
        try:
            self._end(job)
        except OSError:  # the next job may find room again
            _log.exception("the end of job %s could not be kept", job.id)

    def _end(self, job: Job) -> None:
        try:
            self._work(job)
        except TrainingError as error:
            job.fail(error.code, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a trainer raises must end its job
            _log.exception("job %s failed within the server", job.id)
            message = f"The server failed while it worked on this job{because(error)}"
            job.fail("server_error", message)

    def close(self) -> None:
        """End the threads; what is under way must already be stopping."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
