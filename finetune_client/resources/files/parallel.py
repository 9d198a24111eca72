"""Tasks in threads of which none outlives the call, whatever ends it."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Stop", "Stopped", "Task", "run_together"]

Task: TypeAlias = "tuple[Callable[[], Any], Callable[[Any], None]]"
"""What a thread does, and what the calling thread does with its result."""

_TICK: Final = 0.5
"""Seconds; Windows only notices Ctrl-C between two waits."""

_BIT: Final = 0.1
"""Seconds that a task may go on waiting after it was told to stop."""


class Stopped(Exception):  # noqa: N818  it is no error: the task was told to stop
    """The task was told to stop, because another one failed."""


class Stop:
    """Says to all tasks that they are to stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Tell all tasks to stop."""
        self._event.set()

    def check(self) -> None:
        """Raise `Stopped` if it is time to."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, seconds: float, wait: Callable[[float], None]) -> None:
        """Wait with ``wait``, but hardly longer than until it is time to stop."""
        while seconds > 0:
            self.check()
            wait(min(seconds, _BIT))
            seconds -= _BIT
        self.check()


def run_together(
    tasks: Sequence[Task], workers: int, stop: Stop, beside: Sequence[Task] = ()
) -> None:
    """Run tasks in threads; the first that fails, and Ctrl-C, stop the others.

    Results that arrived by then are handed on all the same. All threads have ended when this
    returns or raises.

    Args:
        tasks: What is done by so many ``workers``.
        workers: Threads for ``tasks``.
        stop: What the tasks ask whether they are to stop.
        beside: What is done meanwhile, by a thread each.
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
                for work, arrived in given:
                    futures.append(executor.submit(_guarded, work, stop))
                    pending[futures[-1]] = arrived
            while pending:
                done, _ = wait(pending, timeout=_TICK, return_when=FIRST_COMPLETED)
                for future in done:
                    arrived = pending.pop(future)
                    arrived(future.result())
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            other.shutdown(wait=True, cancel_futures=True)
            _hand_on(pending)
            if isinstance(error, Stopped):
                raise _reason(futures) from None
            raise


def _guarded(work: Callable[[], Any], stop: Stop) -> Any:
    """Do it; if it fails, the others are told at once, by this very thread."""
    try:
        return work()
    except BaseException:
        stop.set()
        raise


def _hand_on(pending: dict[Future[Any], Callable[[Any], None]]) -> None:
    for future, arrived in pending.items():
        if future.done() and not future.cancelled() and future.exception() is None:
            arrived(future.result())


def _reason(futures: Sequence[Future[Any]]) -> BaseException:
    """Find what made the others stop."""
    failures = [future.exception() for future in futures if not future.cancelled()]
    return next(error for error in failures if error and not isinstance(error, Stopped))
