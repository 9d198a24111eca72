"""How long to wait between two looks, and until when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from finetune_client.clock import backoff
from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from finetune_client.clock import Clock

__all__ = ["Pace", "seconds"]

GROWTH = 1.5
JITTER = 0.2


class Pace:
    """The pauses of one wait.

    Args:
        clock: Tells the time, sleeps and throws dice.
        timeout: Seconds from now until waiting ends; `None` for never.
        poll_interval: Seconds of each pause. Without it they grow from ``first`` to ``longest``
            by half each time, each shortened by up to a fifth at random.
        first: Seconds of the first pause.
        longest: Seconds of the longest pause.

    Raises:
        RequestError: A number of seconds is negative, or not a number.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        first: float = 2.0,
        longest: float = 30.0,
    ) -> None:
        self._clock = clock
        self._fixed = seconds("poll_interval", poll_interval)
        self._first = first
        self._longest = max(first, longest)
        self._pauses = 0
        whole = seconds("timeout", timeout)
        self._deadline = math.inf if whole is None else clock.monotonic() + whole

    def left(self) -> float:
        """Return the seconds left; infinite if waiting never ends."""
        return self._deadline - self._clock.monotonic()

    def pause(self, at_least: float = 0.0) -> bool:
        """Sleep until the next look is due, or until the time is over.

        Args:
            at_least: What the server asked for, in seconds.

        Returns:
            False, without sleeping, if the time was over already: there is no next look.
        """
        left = self.left()
        if left <= 0:
            return False
        self._clock.sleep(min(max(self._next(), at_least), left))
        return True

    def _next(self) -> float:
        if self._fixed is not None:
            return self._fixed
        self._pauses += 1
        longest = backoff(self._pauses, first=self._first, longest=self._longest, growth=GROWTH)
        return max(self._first, longest * (1 - JITTER * self._clock.random()))


def seconds(name: str, value: float | None) -> float | None:
    """Check an argument that is a number of seconds.

    Raises:
        RequestError: It is negative, infinite or not a number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(f"{name} must be a number of seconds, got {value!r}.")
    if not 0 <= value < math.inf:
        raise RequestError(f"{name} must be a number of seconds from 0 on, got {value!r}.")
    return value
