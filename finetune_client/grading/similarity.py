"""How alike two texts are, from 0 to 1, by the metrics of ``text_similarity`` graders.

These are the textbook formulas over lower-case words, without smoothing unless a docstring
mentions it and without the word lists of METEOR; the service's own figures may differ a little.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["METRICS", "similarity"]


def similarity(metric: str, output: str, reference: str) -> float:
    """Return how alike an output and its reference are by one of `METRICS`."""
    return _METRICS[metric](output, reference)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def _grams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def _shared(output: Counter[tuple[str, ...]], reference: Counter[tuple[str, ...]]) -> int:
    return (output & reference).total()


def _f1(shared: float, output: float, reference: float) -> float:
    return 2 * shared / (output + reference) if shared else 0.0


def _longest_common(output: Sequence[str], reference: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, with a bit for each place.

    The recurrence is that of Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
    """
    places: dict[str, int] = {}
    for place, one in enumerate(reference):
        places[one] = places.get(one, 0) | 1 << place
    row = every = (1 << len(reference)) - 1
    for one in output:
        matches = row & places.get(one, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(reference) - row.bit_count()


def _fuzzy(output: str, reference: str) -> float:
    """Twice the longest common subsequence by the lengths, as rapidfuzz's ratio."""
    if not output and not reference:
        return 1.0
    return _f1(_longest_common(output, reference), len(output), len(reference))


def _bleu(output: str, reference: str) -> float:
    """BLEU of up to four words, with 1 added to both counts above one word."""
    left, right = _words(output), _words(reference)
    logs = []
    for size in range(1, 5):
        extra = int(size > 1)
        shared = _shared(_grams(left, size), _grams(right, size)) + extra
        total = max(len(left) - size + 1, 0) + extra
        if not shared or not total:
            return 0.0
        logs.append(math.log(shared / total))
    brevity = min(0.0, 1 - len(right) / len(left))
    return math.exp(brevity + sum(logs) / 4)


def _gleu(output: str, reference: str) -> float:
    left, right = _words(output), _words(reference)
    shared = sum(_shared(_grams(left, n), _grams(right, n)) for n in range(1, 5))
    sizes = [sum(max(len(words) - n + 1, 0) for n in range(1, 5)) for words in (left, right)]
    return shared / max(sizes) if max(sizes) else 0.0


def _meteor(output: str, reference: str) -> float:
    """METEOR with exact words only: recall counts nine times, broken order is a penalty."""
    left, right = _words(output), _words(reference)
    places: list[int] = []
    free = list(range(len(right)))
    for word in left:
        match = next((place for place in free if right[place] == word), None)
        if match is not None:
            free.remove(match)
            places.append(match)
    if not places:
        return 0.0
    precision, recall = len(places) / len(left), len(places) / len(right)
    chunks = 1 + sum(after != before + 1 for before, after in itertools.pairwise(places))
    return (
        10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (chunks / len(places)) ** 3)
    )


def _rouge(size: int) -> Callable[[str, str], float]:
    def measure(output: str, reference: str) -> float:
        left, right = _grams(_words(output), size), _grams(_words(reference), size)
        return _f1(_shared(left, right), left.total(), right.total())

    return measure


def _rouge_l(output: str, reference: str) -> float:
    left, right = _words(output), _words(reference)
    return _f1(_longest_common(left, right), len(left), len(right))


_METRICS: dict[str, Callable[[str, str], float]] = {
    "fuzzy_match": _fuzzy,
    "bleu": _bleu,
    "gleu": _gleu,
    "meteor": _meteor,
    **{f"rouge_{size}": _rouge(size) for size in range(1, 6)},
    "rouge_l": _rouge_l,
}
METRICS = tuple(_METRICS)
