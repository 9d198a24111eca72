"""A queue of jobs, and the threads that work on it, first come, first served."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from finetune_client.local.storage.database import StoreClosedError
from finetune_client.local.storage.store import system_reason
from finetune_client.local.training.trainer import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local.training.job import TrainingJob

__all__ = ["JobQueue"]

_log = logging.getLogger("finetune_client.local")
_RETRY_SECONDS = 2.0
_TOLD_BY_LOGS = {"trainer_died", "training_failed"}
"""Codes of failures whose reason only the log of the processes may have."""


class JobQueue:
    """A queue of jobs, and its worker threads, which start with the first job.

    Args:
        name: Part of the threads' names.
        work: Called with each job. What it raises ends the job as failed.
        threads: How many jobs are worked on at once.
    """

    def __init__(self, name: str, work: Callable[[TrainingJob], None], threads: int) -> None:
        self._work = work
        self._waiting: dict[str, TrainingJob] = {}
        self._idle = threads
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"finetune-{name}-{number}", daemon=True)
            for number in range(threads)
        ]

    def put(self, job: TrainingJob) -> None:
        """Queue a job, behind the others."""
        with self._changed:
            for thread in self._threads:
                if thread.ident is None:
                    thread.start()
            self._waiting.pop(job.id, None)  # one that was paused and resumed stands at the end
            self._waiting[job.id] = job
            self._changed.notify()

    def position(self, new: TrainingJob) -> int:
        """Return where a job stands that is put into the queue now: 1 if it is the next to be begun.

        It is 0 if a thread is free for it.
        """
        with self._changed:
            waiting, idle = list(self._waiting.values()), self._idle
        # One that was paused or cancelled stays in the queue until a thread passes it over.
        before = sum(job.is_waiting for job in waiting if job is not new)
        return max(0, before - idle + 1)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._work_on(job)

    def _next(self) -> TrainingJob | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed.is_set())
            if self._closed.is_set():
                return None
            self._idle -= 1
            return self._waiting.pop(next(iter(self._waiting)))

    def _work_on(self, job: TrainingJob) -> None:
        job.begin_work()
        try:
            self._work(job)
        except StoreClosedError:
            return  # the next start of the server continues from what was saved
        except TrainingError as error:
            message = str(error)
            if error.code in _TOLD_BY_LOGS and job.has_log:
                message += f"\nOn the machine that trained it: finetune logs {job.id} --local."
            self._fail(job, error.code, message)
        except Exception as error:  # noqa: BLE001 - whatever a trainer raises must end its job
            # Logged first: a disk that is full may not let the job end for a while.
            _log.exception("job %s failed within the server", job.id)
            message = f"The server failed while it worked on this job{system_reason(error)}"
            self._fail(job, "server_error", message)
        finally:
            self._end_work(job)
            with self._changed:
                self._idle += 1

    def _fail(self, job: TrainingJob, code: str, message: str) -> None:
        """End the job as failed; where that cannot be saved, such as on a full disk, try on."""
        is_told = False
        while not self._is_failed(job, code, message, is_logged=not is_told):
            is_told = True
            if self._closed.wait(_RETRY_SECONDS):
                return

    @staticmethod
    def _is_failed(job: TrainingJob, code: str, message: str, *, is_logged: bool) -> bool:
        try:
            job.fail(code, message)
        except StoreClosedError:
            pass  # the next start of the server continues from what was saved
        except (OSError, sqlite3.Error):
            if is_logged:
                _log.exception("the end of job %s could not be saved yet", job.id)
            return False
        return True

    @staticmethod
    def _end_work(job: TrainingJob) -> None:
        try:
            job.end_work()
        except StoreClosedError:
            pass  # the next start of the server removes it
        except (OSError, sqlite3.Error):
            _log.exception("the directory of job %s could not be removed", job.id)

    def close(self) -> None:
        """End each thread once it has done what it is working on; `join` waits for that."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for the threads to end, for so long at most, and return whether they have."""
        deadline = time.monotonic() + seconds
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in started)
