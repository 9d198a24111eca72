"""Which examples make up each step, the same for any number of processes.

A step's batch is divided into as many parts as there are processes times accumulated passes, so
that one process with a large pass, one with several small ones, and several processes all add up
the same gradients. The last batch of an epoch may be smaller, or is left out; no example counts
twice.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Batches", "Part"]

_POOL = 8
"""From how many batches examples of similar length are put together; few, so that order matters."""

Part = list[tuple[int, bool]]
"""Positions of rows for one pass, each with whether it counts; a pass is never empty."""


class Batches:
    """The passes of one process over the rows of a training file; a batch sampler for torch.

    Args:
        lengths: For each example, the lengths of its rows.
        batch_size: Examples in a step.
        passes: How many passes each process makes in a step.
        processes: How many processes there are.
        rank: Which of them this is, from 0.
        seed: The seed of the order.
        drop_last: Leave out what is no whole batch at the end of an epoch; its order differs from
            the others', so that every example has its turn.
    """

    def __init__(
        self,
        lengths: Sequence[Sequence[int]],
        *,
        batch_size: int,
        passes: int,
        processes: int,
        rank: int,
        seed: int,
        drop_last: bool = False,
    ) -> None:
        first = 0
        self._rows: list[list[int]] = []
        self._lengths: list[int] = []
        for rows in lengths:
            self._rows.append(list(range(first, first + len(rows))))
            self._lengths += rows
            first += len(rows)
        self._batch_size = batch_size
        self._passes = passes
        self._processes = processes
        self._rank = rank
        self._seed = seed
        self._epoch = 0
        self._used = len(lengths) - len(lengths) % batch_size if drop_last else len(lengths)
        self.steps = -(-self._used // batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order is used."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self.steps * self._passes

    def __iter__(self) -> Iterator[Part]:
        for batch in self._batches():
            rows = sorted(
                (row for example in batch for row in self._rows[example]),
                key=lambda row: (-self._lengths[row], row),
            )
            parts = self._passes * self._processes
            for number in range(self._passes):
                part = number * self._processes + self._rank
                chosen = rows[len(rows) * part // parts : len(rows) * (part + 1) // parts]
                yield [(row, True) for row in chosen] or [(rows[-1], False)]

    def _batches(self) -> list[list[int]]:
        size = self._batch_size
        rng = random.Random(f"{self._seed}/{self._epoch}")  # noqa: S311 - an order, no secret
        order = list(range(len(self._rows)))
        rng.shuffle(order)
        order = order[: self._used]
        batches = []
        for first in range(0, len(order), size * _POOL):
            pool = order[first : first + size * _POOL]
            pool.sort(key=lambda example: sum(self._lengths[row] for row in self._rows[example]))
            batches += [pool[place : place + size] for place in range(0, len(pool), size)]
        rng.shuffle(batches)
        return batches
