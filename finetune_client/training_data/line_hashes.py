"""Which lines are the same, at 16 bytes a line."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LineHashes"]

_BUCKETS = 256
_MOST_AT_ONCE = 1 << 18
"""Lines whose hashes are looked through at once; a set of them takes some 25 MiB."""


class LineHashes:
    """A hash of 64 bits for each line, and the line's number.

    The hash is Python's own of the line's bytes, which is quick and keyed anew in every process
    (worker processes are given one key). Two different lines of a file of ten million share one
    with a chance of one in 400,000.

    The hashes of a large file are divided among buckets by their last bits, so that a set of one
    bucket's is enough to find equal ones. Up to then there is one bucket: to add to it takes a
    tenth of the time.
    """

    def __init__(self) -> None:
        self._buckets = [(array("q"), array("Q"))]

    def __len__(self) -> int:
        """Return how many lines there are."""
        return sum(len(lines) for _, lines in self._buckets)

    def add(self, hashes: list[int], lines: list[int]) -> None:
        if len(self._buckets) == 1:
            self._buckets[0][0].extend(hashes)
            self._buckets[0][1].extend(lines)
            if len(self) > _MOST_AT_ONCE:
                self._divide()
        else:
            self._distribute(hashes, lines)

    def _divide(self) -> None:
        if len(self._buckets) == 1:
            hashes, lines = self._buckets[0]
            self._buckets = [(array("q"), array("Q")) for _ in range(_BUCKETS)]
            self._distribute(hashes, lines)

    def _distribute(self, hashes: Iterable[int], lines: Iterable[int]) -> None:
        buckets = self._buckets
        for hash_, line in zip(hashes, lines, strict=True):
            bucket = buckets[hash_ % _BUCKETS]
            bucket[0].append(hash_)
            bucket[1].append(line)

    def _align(self, other: LineHashes) -> None:
        """Let both have the same number of buckets."""
        if len(self._buckets) != len(other._buckets):
            self._divide()
            other._divide()  # it is one of us

    def add_part(self, later: LineHashes, offset: int) -> None:
        """Add the lines of a later part of the file, which begins after line `offset`."""
        self._align(later)
        for (hashes, lines), (more, theirs) in zip(self._buckets, later._buckets, strict=True):
            hashes.extend(more)
            lines.extend(array("Q", [line + offset for line in theirs]))
        if len(self) > _MOST_AT_ONCE:
            self._divide()

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
        self._align(other)
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
