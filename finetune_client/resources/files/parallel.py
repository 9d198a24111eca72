"""Tasks in threads of which none outlives the call, whatever ends it."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Stop", "Stopped", "Task", "run_in_threads"]

Task: TypeAlias = "tuple[Callable[[], Any], Callable[[Any], None]]"
"""What a thread does, and what the calling thread does with its result."""

_WAIT_SECONDS: Final = 0.5
"""Windows only notices Ctrl-C between two waits."""

_STOP_CHECK_SECONDS: Final = 0.1
"""A task that waits looks so often whether it is to stop."""


class Stopped(Exception):  # noqa: N818  # not an error: the task was told to stop
    """The task was told to stop, because another one failed."""


class Stop:
    """Tells all tasks to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Tell all tasks to stop."""
        self._event.set()

    def check(self) -> None:
        """Raise `Stopped` if the tasks are to stop."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Sleep with ``wait``, in short pieces, and raise `Stopped` if the tasks are to stop."""
        while seconds > 0:
            self.check()
            wait(min(seconds, _STOP_CHECK_SECONDS))
            seconds -= _STOP_CHECK_SECONDS
        self.check()


def run_in_threads(
    tasks: Sequence[Task], workers: int, stop: Stop, beside: Sequence[Task] = ()
) -> None:
    """Run tasks in threads; the first that fails, and Ctrl-C, stop the others.

    Results that were there by then are handed on all the same. All threads have ended when this
    returns or raises.

    Args:
        tasks: What ``workers`` threads do.
        workers: How many threads there are for ``tasks``.
        stop: What the tasks check to see whether they are to stop.
        beside: What is done at the same time, each by a thread of its own.
    """
    name = "finetune-upload"
    with (
        ThreadPoolExecutor(workers, thread_name_prefix=name) as pool,
        ThreadPoolExecutor(len(beside) or 1, thread_name_prefix=name) as other,
    ):
        pending: dict[Future[Any], Callable[[Any], None]] = {}
        futures: list[Future[Any]] = []
        try:
            for executor, given in ((other, beside), (pool, tasks)):
                for work, hand_on in given:
                    futures.append(executor.submit(_run, work, stop))
                    pending[futures[-1]] = hand_on
            while pending:
                done, _ = wait(pending, timeout=_WAIT_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    hand_on = pending.pop(future)
                    hand_on(future.result())
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            other.shutdown(wait=True, cancel_futures=True)
            _hand_on_results(pending)
            if isinstance(error, Stopped):
                raise _first_failure(futures) from None
            raise


def _run(work: Callable[[], Any], stop: Stop) -> Any:
    """Do it; if it fails, tell the others at once, from this very thread."""
    try:
        return work()
    except BaseException:
        stop.set()
        raise


def _hand_on_results(pending: dict[Future[Any], Callable[[Any], None]]) -> None:
    for future, hand_on in pending.items():
        if future.done() and not future.cancelled() and future.exception() is None:
            hand_on(future.result())


def _first_failure(futures: Sequence[Future[Any]]) -> BaseException:
    """Return what made the others stop."""
    failures = [future.exception() for future in futures if not future.cancelled()]
    return next(error for error in failures if error and not isinstance(error, Stopped))
