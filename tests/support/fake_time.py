"""A clock that is only turned by sleeping."""

from __future__ import annotations

from finetune_client.clock import Clock

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

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.at += seconds
        self.wall += seconds
