"""Time and random numbers as a value, so that whatever waits can be tested without waiting."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SYSTEM_CLOCK", "Clock"]


@dataclass(frozen=True, kw_only=True, slots=True)
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
