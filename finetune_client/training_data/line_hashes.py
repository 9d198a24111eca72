"""Which lines are the same, at 16 bytes a line."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LineHashes"]

BUCKETS = 256


class LineHashes:
    """A number of 64 bits for each line and the line it is of, in buckets by its last bits.

    The number is Python's `hash` of the line's bytes, which is quick and keyed
    anew in every process (worker processes are given one key). Two different lines of a file of ten million
    share one with a chance of one in 400,000.
    """

    def __init__(self) -> None:
        self._buckets = [(array("q"), array("Q")) for _ in range(BUCKETS)]

    def __len__(self) -> int:
        """Return how many lines there are."""
        return sum(len(lines) for _, lines in self._buckets)

    def add(self, hashes: list[int], lines: list[int]) -> None:
        buckets = self._buckets
        for hash_, line in zip(hashes, lines, strict=True):
            bucket = buckets[hash_ % BUCKETS]
            bucket[0].append(hash_)
            bucket[1].append(line)

    def add_part(self, later: LineHashes, offset: int) -> None:
        """Add the lines of a later part of the file, which begins after line `offset`."""
        for (hashes, lines), (more, theirs) in zip(self._buckets, later._buckets, strict=True):
            hashes.extend(more)
            lines.extend(array("Q", [line + offset for line in theirs]))

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Return each line that stood in the file before, with the first such line; by bucket."""
        for hashes, lines in self._buckets:
            if len(set(hashes)) == len(hashes):
                continue
            first: dict[int, int] = {}
            for hash_, line in zip(hashes, lines, strict=True):
                if (before := first.setdefault(hash_, line)) != line:
                    yield line, before

    def shared(self, other: LineHashes) -> Iterator[tuple[int, int]]:
        """Return each line that `other` has too, with the first such line there; by bucket."""
        for (hashes, lines), (theirs, their_lines) in zip(
            self._buckets, other._buckets, strict=True
        ):
            common = set(hashes).intersection(theirs)
            if not common:
                continue
            there: dict[int, int] = {}
            for hash_, line in zip(theirs, their_lines, strict=True):
                if hash_ in common:
                    there.setdefault(hash_, line)
            for hash_, line in zip(hashes, lines, strict=True):
                if hash_ in common:
                    yield line, there[hash_]
