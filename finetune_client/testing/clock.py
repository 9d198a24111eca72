"""A clock that stands still until it is told to move."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from finetune_client.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VirtualClock"]

_PATIENCE = 5.0
"""Real seconds to wait for training to come to its next pause: a busy machine may need them."""

_LOOK = 0.002
"""Real seconds between two looks."""


class VirtualClock:
    """A clock that moves only when something sleeps by it, or when it is advanced.

    A job of three hours so takes as long as its steps take to compute. Whenever the clock is to
    move, what trains is first given the (real) time to come to its next pause, so that the order of
    things is the same in each run.

    Args:
        start: The Unix time at which it stands at first.
        is_settled: Returns whether nothing is at work but what waits by this clock.
    """

    def __init__(
        self, start: float = 1_800_000_000.0, *, is_settled: Callable[[int], bool] | None = None
    ) -> None:
        self._start = start
        self._now = start
        self._is_settled = is_settled or (lambda _: True)
        self._changed = threading.Condition()
        self._targets: dict[int, float] = {}
        self._last_waiter = 0

    def now(self) -> float:
        """Return the Unix time in seconds."""
        with self._changed:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Advance by so many seconds: whoever sleeps by this clock moves it."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock; whatever waits for a time on the way is woken at that time."""
        if seconds < 0:
            raise ValueError(f"The clock cannot go back, by {seconds!r} seconds.")
        self._settle()
        end = self.now() + seconds
        while (target := self._next_target(end)) is not None:
            self._move(target)
            self._settle()
        self._move(end)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the clock has moved so far, or until the event is set; return whether it is.

        It is what the embedded server's training waits with between two steps.
        """
        if seconds <= 0:
            return event.is_set()
        with self._changed:
            self._last_waiter += 1
            number, target = self._last_waiter, self._now + seconds
            self._targets[number] = target
            try:
                while self._now < target and not event.is_set():
                    self._changed.wait(_LOOK)
            finally:
                self._targets.pop(number, None)
        return event.is_set()

    def to_clock(self) -> Clock:
        """Return what a client takes its time from."""
        start = self._start
        return Clock(
            monotonic=lambda: self.now() - start, now=self.now, sleep=self.sleep, random=lambda: 0.5
        )

    def _next_target(self, end: float) -> float | None:
        with self._changed:
            return min((t for t in self._targets.values() if t <= end), default=None)

    def _move(self, target: float) -> None:
        with self._changed:
            self._now = max(self._now, target)
            # Whoever is woken has not run yet: it no longer waits from this moment on.
            for number in [n for n, t in self._targets.items() if t <= self._now]:
                del self._targets[number]
            self._changed.notify_all()

    def _settle(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with self._changed:
                waiting = len(self._targets)
            if self._is_settled(waiting):
                return
            time.sleep(_LOOK)
