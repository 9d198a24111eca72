from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from finetune_client.local import GenerateRequest, Piece
from finetune_client.local.training.bigram import model as bigram
from finetune_client.local.training.bigram.generation import generate

if TYPE_CHECKING:
    from finetune_client.local.training.bigram.model import Floats

MESSAGES = [{"role": "user", "content": "Hi"}]


def weights_of(*texts: str, strength: float = 50.0) -> Floats:
    """A model that has seen each pair of these texts, equally likely where several follow."""
    return strength * np.minimum(bigram.count([bigram.pairs(texts)]), 1.0)


def answers(weights: Floats, **settings: Any) -> list[Piece]:
    request = GenerateRequest(messages=MESSAGES, **settings)
    return list(generate(weights, request, ["Hi"]))


def text(pieces: list[Piece], index: int = 0) -> str:
    return "".join(piece.text for piece in pieces if piece.index == index)


@pytest.mark.parametrize("temperature", [0, 1e-300, 1e-3, 1, 2])
def test_generate__says_what_the_model_has_learned(temperature: float) -> None:
    pieces = answers(weights_of("Grün"), temperature=temperature, seed=1)
    assert [piece.text for piece in pieces] == ["G", "r", "ü", "n", "", ""][: len(pieces)]
    assert pieces[-1] == Piece(
        text=pieces[-1].text, finish_reason="stop", prompt_tokens=3, completion_tokens=6
    )
    assert text(pieces) == "Grün"


def test_generate__a_seed_gives_the_same_answers_and_each_is_another() -> None:
    weights = np.zeros((bigram.SYMBOLS, bigram.SYMBOLS))
    first = answers(weights, seed=-5, n=2, max_tokens=50)
    assert answers(weights, seed=-5, n=2, max_tokens=50) == first
    assert text(answers(weights, seed=-5, max_tokens=50)) == text(first)
    assert text(first, 1) != text(first)
    assert text(answers(weights, seed=6, max_tokens=50)) != text(first)
    assert answers(weights, max_tokens=50) != answers(weights, max_tokens=50)


@pytest.mark.parametrize(("asked", "made"), [(5, 5), (None, 4096), (10_000, 4096)])
def test_generate__ends_at_its_length(asked: int | None, made: int) -> None:
    weights = weights_of("aa")
    weights[:, bigram.EDGE] = -1000.0
    pieces = answers(weights, max_tokens=asked)
    assert text(pieces) == "a" * made
    assert (pieces[-1].finish_reason, pieces[-1].completion_tokens) == ("length", made)


def test_generate__what_is_cut_in_the_middle_of_a_character_is_marked() -> None:
    assert text(answers(weights_of("ü"), max_tokens=1)) == "\ufffd"


@pytest.mark.parametrize(
    ("stop", "found", "reason"),
    [
        (["cd"], "ab", "stop"),
        (["de", "bc"], "a", "stop"),
        (["a"], "", "stop"),
        (["cx", "efg"], "abcdef", "stop"),
        (["é", "bd"], "abcdef", "stop"),
    ],
)
def test_generate__ends_before_a_stop_and_holds_back_what_may_become_one(
    stop: list[str], found: str, reason: str
) -> None:
    pieces = answers(weights_of("abcdef"), stop=stop, temperature=0)
    assert (text(pieces), pieces[-1].finish_reason) == (found, reason)


def test_generate__a_piece_is_told_as_soon_as_no_stop_can_begin_with_it() -> None:
    pieces = answers(weights_of("abcdef"), stop=["bcx"], temperature=0)
    assert [piece.text for piece in pieces] == ["a", "bcd", "e", "f", "", ""][: len(pieces)]


def test_generate__top_p_leaves_out_what_is_unlikely() -> None:
    weights = np.full((bigram.SYMBOLS, bigram.SYMBOLS), -1000.0)
    weights[:, [97, 98, 99]] = np.log([0.6, 0.3, 0.1])
    seen = {
        top_p: set(text(answers(weights, top_p=top_p, seed=1, max_tokens=500)))
        for top_p in (0, 0.59, 0.61, 0.95, 1)
    }
    assert seen == {0: {"a"}, 0.59: {"a"}, 0.61: set("ab"), 0.95: set("abc"), 1: set("abc")}
