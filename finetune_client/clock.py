"""Time and random numbers as a value, so that whatever waits can be tested without waiting."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SYSTEM_CLOCK", "Clock", "backoff"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clock:
    """What tells the time, sleeps and draws random numbers.

    Attributes:
        monotonic: Seconds that never go backwards; deadlines are in these.
        now: Unix time in seconds, for dates that a server sent.
        sleep: Sleeps so many seconds; Ctrl-C ends it.
        random: A number from 0 up to, but not including, 1.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


SYSTEM_CLOCK = Clock()


def backoff(number: int, *, first: float, longest: float, growth: float = 2.0) -> float:
    """Return the seconds of the wait with this number, counted from 1.

    Each is ``growth`` times as long as the one before, up to ``longest``. How much of it chance
    takes away is the caller's to decide: all of it where many clients fail at once, little of it
    where one waits for one thing.
    """
    return min(longest, first * growth ** min(number - 1, 64))
