"""A clock that is only turned by sleeping."""

from __future__ import annotations

from typing import Any

from finetune_client.clock import Clock
from finetune_client.providers import OPENAI
from finetune_client.waiting import Pace

__all__ = ["FakeTime"]


class FakeTime:
    """`clock` is what is passed in; `sleeps` is what was slept; `wall` may jump by itself."""

    def __init__(self, *, chance: float = 0.0, now: float = 1_800_000_000.0) -> None:
        self.at = 0.0
        self.wall = now
        self.chance = chance
        self.sleeps: list[float] = []
        self.clock = Clock(
            monotonic=lambda: self.at,
            now=lambda: self.wall,
            sleep=self._sleep,
            random=lambda: self.chance,
        )

    def pace(self, **options: Any) -> Pace:
        """Return a pace by this clock, for polls as often as the provider OpenAI has them."""
        polls = {"first_poll": OPENAI.first_poll, "longest_poll": OPENAI.longest_poll}
        return Pace(self.clock, **{**polls, **options})

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.at += seconds
        self.wall += seconds
