"""How values are distributed: their sum, mean and percentiles, in memory that does not grow."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Distribution", "DistributionSummary"]

MOST_VALUES = 1 << 15
"""Different values that are kept apart; past that, neighbours are counted together."""


class DistributionSummary(TypedDict):
    """The sum, the mean and the percentiles of some whole numbers (all 0 if there is none)."""

    total: int
    mean: float
    min: int
    p50: int
    p90: int
    p95: int
    p99: int
    max: int


class Distribution:
    """Counts how often each value occurs."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._width = 1
        self._total = 0
        self._most = 0

    def add(self, values: list[int]) -> None:
        if not values:
            return
        self._total += sum(values)
        self._most = max(self._most, *values)
        width = self._width
        rounded = values if width == 1 else [value - value % width for value in values]
        self._counts.update(rounded)
        self._limit()

    def add_part(self, other: Distribution) -> None:
        self._total += other._total
        self._most = max(self._most, other._most)
        self._widen(other._width)
        self._count(other._counts.items())
        self._limit()

    def _count(self, counts: Iterable[tuple[int, int]]) -> None:
        for value, times in counts:
            self._counts[value - value % self._width] += times

    def _limit(self) -> None:
        while len(self._counts) > MOST_VALUES:
            self._widen(self._width * 2)

    def _widen(self, width: int) -> None:
        if width > self._width:
            self._width = width
            finer, self._counts = self._counts, Counter()
            self._count(finer.items())

    def capped(self, most: int | None) -> int:
        """Sum the values, none counted as more than `most`."""
        if most is None or self._most <= most:
            return self._total
        return sum(min(value, most) * times for value, times in self._counts.items())

    def summary(self) -> DistributionSummary:
        """Percentiles are of the nearest rank, exact up to 32,768 different values."""
        number = self._counts.total() if self._counts else 0
        ranks = {p: self._rank((number * p + 99) // 100) for p in (0, 50, 90, 95, 99)}
        return DistributionSummary(
            total=self._total,
            mean=round(self._total / number, 2) if number else 0.0,
            min=ranks[0],
            p50=ranks[50],
            p90=ranks[90],
            p95=ranks[95],
            p99=ranks[99],
            max=self._most,
        )

    def _rank(self, rank: int) -> int:
        for value in sorted(self._counts):
            rank -= self._counts[value]
            if rank <= 0:
                return value
        return 0
