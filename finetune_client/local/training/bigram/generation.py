"""Answers of the bigram: it has not seen the conversation, so they are of no use but for trying."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import numpy as np

from finetune_client.local.training.bigram import model as bigram
from finetune_client.local.training.trainer import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from finetune_client.local.training.bigram.model import Floats
    from finetune_client.local.training.trainer import GenerateRequest

__all__ = ["generate"]

_MAX_BYTES = 4096
"""The longest answer."""

_COLDEST = 1e-6
"""Below this temperature the likeliest byte is certain, and dividing by it could overflow."""


def generate(weights: Floats, request: GenerateRequest, prompt: Sequence[str]) -> Iterator[Piece]:
    """Sample the answers to a request, one after the other; see `Trainer.generate`.

    Args:
        weights: The model.
        request: What is asked for.
        prompt: The texts of the conversation, which are counted.
    """
    sums = _cumulative(weights, request.temperature, request.top_p)
    prompt_tokens = len(bigram.pairs(prompt))
    limit = min(request.max_tokens or _MAX_BYTES, _MAX_BYTES)
    for index in range(request.n):
        seed = None if request.seed is None else [request.seed % 2**64, index]
        rng = np.random.default_rng(seed)
        text = _Text(request.stop)
        tokens, is_ended, symbol = 0, False, bigram.EDGE
        while tokens < limit and not is_ended:
            symbol = bigram.next_symbol(sums, symbol, rng)
            tokens += 1
            is_ended = symbol == bigram.EDGE
            ready = text.end() if is_ended else text.add(symbol)
            if ready:
                yield Piece(index=index, text=ready)
            is_ended = is_ended or text.is_stopped
        yield Piece(
            index=index,
            text=text.end(),
            finish_reason="stop" if is_ended else "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=tokens,
        )


def _cumulative(weights: Floats, temperature: float, top_p: float) -> Floats:
    """Return the cumulative probabilities of each row, with what is not sampled left out."""
    if temperature < _COLDEST:
        likeliest = np.zeros_like(weights)
        likeliest[np.arange(bigram.SYMBOLS), weights.argmax(axis=1)] = 1.0
        return likeliest.cumsum(axis=1)
    shares = np.exp(bigram.log_probabilities(weights / temperature))
    order = np.argsort(-shares, axis=1, kind="stable")
    ranked = np.take_along_axis(shares, order, axis=1)
    # The likeliest symbol stays, and each whose likelier ones do not yet make up the share.
    ranked[:, 1:][ranked.cumsum(axis=1)[:, :-1] >= top_p] = 0.0
    kept = np.zeros_like(shares)
    np.put_along_axis(kept, order, ranked, axis=1)
    return kept.cumsum(axis=1)


class _Text:
    """The text of one answer, byte by byte; what may become a stop is held back.

    Args:
        stops: Texts that end the answer, and are not part of it.

    Attributes:
        is_stopped: Whether one of them has come.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.is_stopped = False

    def add(self, byte: int) -> str:
        """Take a byte, and return the text that no later one can change."""
        self._held += self._decoder.decode(bytes([byte]))
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        self.is_stopped = bool(places)
        return self._take(min(places) if places else len(self._held) - self._open())

    def end(self) -> str:
        """Return what was held back; nothing after a stop."""
        self._held += self._decoder.decode(b"", final=True)
        return self._take(0 if self.is_stopped else len(self._held))

    def _take(self, size: int) -> str:
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _open(self) -> int:
        """Return how long the longest end of the text is that may be the beginning of a stop."""
        held = self._held
        return max(
            (
                size
                for stop in self._stops
                for size in range(min(len(held), len(stop) - 1) + 1)
                if stop.startswith(held[len(held) - size :])
            ),
            default=0,
        )
