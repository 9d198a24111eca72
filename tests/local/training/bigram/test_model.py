from __future__ import annotations

import itertools

import numpy as np

from finetune_client.local.training.bigram.model import (
    EDGE,
    SYMBOLS,
    cumulative,
    pairs,
    sample,
)


def symbols(text: str) -> list[tuple[int, int]]:
    edged = [EDGE, *text.encode(), EDGE]
    return list(itertools.pairwise(edged))


def test_pairs__take_text_of_any_kind() -> None:
    for text in ("", "é😀", "\ud800", "\x00\xff"):
        assert len(pairs([text])) == len(text.encode("utf-8", "surrogatepass")) + 1
    assert len(pairs([])) == 0


def test_sample__writes_what_is_likely_and_stops() -> None:
    logs = np.full((SYMBOLS, SYMBOLS), -np.inf)
    for before, after in symbols("abc"):
        logs[before, after] = 0.0
    sums, rng = cumulative(logs), np.random.default_rng(0)
    assert sample(sums, rng, 10) == "abc"
    assert sample(sums, rng, 2) == "ab"
