"""How long to wait between two polls, and until when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from finetune_client.clock import backoff
from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from finetune_client.clock import Clock

__all__ = ["Pace", "seconds"]

_GROWTH = 1.5
_JITTER = 0.2


class Pace:
    """The pauses of one wait.

    Args:
        clock: Tells the time, sleeps and draws random numbers.
        first_poll: Seconds of the first pause.
        longest_poll: Seconds of the longest pause.
        poll_interval: Seconds of every pause. Without it they grow from ``first_poll`` to
            ``longest_poll`` by half each time, each shortened by up to a fifth at random.
        timeout: Seconds from now until waiting ends; `None` for no limit.

    Raises:
        RequestError: A number of seconds is negative, or not a number.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        first_poll: float,
        longest_poll: float,
        poll_interval: float | None = None,
        timeout: float | None = None,
    ) -> None:
        self._clock = clock
        self._fixed = seconds("poll_interval", poll_interval)
        self._first = first_poll
        self._longest = max(first_poll, longest_poll)
        self._pauses = 0
        whole = seconds("timeout", timeout)
        self._deadline = math.inf if whole is None else clock.monotonic() + whole

    def remaining(self) -> float:
        """Return the seconds until waiting ends; infinity if there is no limit."""
        return self._deadline - self._clock.monotonic()

    def pause(self, at_least: float = 0.0) -> bool:
        """Sleep until the next poll is due, or until the time is over.

        Args:
            at_least: What the server asked for, in seconds.

        Returns:
            False, without sleeping, if the time was over already: there is no next poll.
        """
        remaining = self.remaining()
        if remaining <= 0:
            return False
        self._clock.sleep(min(max(self._next_pause(), at_least), remaining))
        return True

    def _next_pause(self) -> float:
        if self._fixed is not None:
            return self._fixed
        self._pauses += 1
        pause = backoff(self._pauses, first=self._first, longest=self._longest, growth=_GROWTH)
        return max(self._first, pause * (1 - _JITTER * self._clock.random()))


def seconds(name: str, value: float | None) -> float | None:
    """Return an argument that is a number of seconds, or `None`.

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
