from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.grading.similarity import METRICS, similarity


@pytest.mark.parametrize("metric", METRICS)
def test_similarity__of_equal_and_of_different_texts(metric: str) -> None:
    text = "The quick brown fox jumps over the lazy dog"
    assert similarity(metric, text, text) == pytest.approx(1.0, abs=0.01)
    assert similarity(metric, "completely unrelated words 123", text) < 0.35
    assert similarity(metric, "", text) == 0.0
    assert similarity(metric, "", "") in {0.0, 1.0}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rouge_1", 5 / 6),
        ("rouge_2", 3 / 5),
        ("rouge_l", 5 / 6),
        ("gleu", (5 + 3 + 1 + 0) / 18),
        ("fuzzy_match", 2 * 20 / 44),
    ],
)
def test_similarity__by_hand(metric: str, expected: float) -> None:
    found = similarity(metric, "the cat sat on the mat", "the cat was on the mat")
    assert found == pytest.approx(expected)


def test_similarity__bleu_by_hand() -> None:
    found = similarity("bleu", "the cat sat on the mat", "the cat was on the mat")
    assert found == pytest.approx((5 / 6 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25)
    short = similarity("bleu", "the cat", "the cat sat on the mat")
    assert short == pytest.approx(math.exp(1 - 6 / 2) * (1 * 1 * 1 * 1) ** 0.25)


def test_similarity__meteor_by_hand() -> None:
    found = similarity("meteor", "on the mat sat the cat", "the cat sat on the mat")
    assert found == 0.5  # every word is there, no two in order: the largest penalty
    exact = similarity("meteor", "the cat", "the cat")
    assert exact == pytest.approx(1 - 0.5 / 8)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(METRICS), st.text(max_size=40), st.text(max_size=40))
def test_similarity__is_always_from_0_to_1(metric: str, said: str, reference: str) -> None:
    assert 0.0 <= similarity(metric, said, reference) <= 1.0 + 1e-9
