"""A byte-level softmax bigram: the smallest language model that really learns from text.

It predicts each byte of a text from the byte before it. Symbol 256 stands before a text's first
byte and, as what is predicted, after its last. A token is a byte of a text or this end of it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

__all__ = [
    "EDGE",
    "SYMBOLS",
    "Adam",
    "Score",
    "count",
    "cumulative",
    "gradient",
    "log_probabilities",
    "pack",
    "pairs",
    "sample",
    "score",
    "unpack",
]

EDGE = 256
SYMBOLS = 257


def pairs(texts: Iterable[str]) -> Ints:
    """Turn texts into their (previous, next) pairs, each as the number previous * 257 + next."""
    found = [np.zeros(0, dtype=np.int64)]
    for text in texts:
        symbols = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        edged = np.concatenate(([EDGE], symbols.astype(np.int64), [EDGE]))
        found.append(edged[:-1] * SYMBOLS + edged[1:])
    return np.concatenate(found)


def count(examples: Sequence[Ints], weights: Sequence[float] | None = None) -> Floats:
    """Count how often each symbol follows each: a matrix with a row for every previous symbol.

    Args:
        examples: What `pairs` gave.
        weights: How much each example counts; 1 unless given.
    """
    joined = np.concatenate([np.zeros(0, dtype=np.int64), *examples])
    sizes = [len(example) for example in examples]
    each = None if weights is None else np.repeat(np.asarray(weights, dtype=np.float64), sizes)
    counts = np.bincount(joined, weights=each, minlength=SYMBOLS * SYMBOLS)
    return counts.reshape(SYMBOLS, SYMBOLS).astype(np.float64)


def log_probabilities(weights: Floats) -> Floats:
    """Take the log-softmax of each row."""
    shifted = weights - weights.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


@dataclass(frozen=True, slots=True)
class Score:
    """How well texts are predicted: mean loss in nats a token, and the share guessed right."""

    loss: float
    accuracy: float
    tokens: int


def score(weights: Floats, logs: Floats, counts: Floats) -> Score:
    """Measure the model on the texts that ``counts`` was made of."""
    tokens = max(counts.sum(), 1.0)
    right = counts[np.arange(SYMBOLS), weights.argmax(axis=1)].sum()
    return Score(float(-(counts * logs).sum() / tokens), float(right / tokens), int(tokens))


def gradient(logs: Floats, counts: Floats) -> Floats:
    """Differentiate minus the log-probability of the counted texts by the weights."""
    result: Floats = counts.sum(axis=1, keepdims=True) * np.exp(logs) - counts
    return result


def cumulative(logs: Floats) -> Floats:
    """Add the probabilities up along each row, for `sample`."""
    result: Floats = np.exp(logs).cumsum(axis=1)
    return result


def sample(sums: Floats, dice: np.random.Generator, most: int) -> str:
    """Let the model write a text of at most ``most`` bytes; ``sums`` are its `cumulative`."""
    symbols: list[int] = []
    previous = EDGE
    while len(symbols) < most:
        row = sums[previous]
        previous = min(int(np.searchsorted(row, dice.random() * row[-1])), EDGE)
        if previous == EDGE:
            break
        symbols.append(previous)
    return bytes(symbols).decode("utf-8", "replace")


class Adam:
    """Gradient descent with the step sizes of Adam (https://arxiv.org/abs/1412.6980).

    Args:
        rate: How far a weight moves in a step, about.
        state: Arrays of an earlier `state()`, to go on as if never stopped.
    """

    def __init__(self, rate: float, state: Mapping[str, npt.NDArray[np.float64]] | None) -> None:
        start = state or {}
        nothing = np.zeros((SYMBOLS, SYMBOLS))
        self._rate = rate
        self._mean = start.get("mean", nothing)
        self._square = start.get("square", nothing)
        self._steps = int(start["descents"]) if "descents" in start else 0

    def descend(self, weights: Floats, slope: Floats) -> Floats:
        """Give the weights one step down the slope."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * slope
        self._square = 0.99 * self._square + 0.01 * slope * slope
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.99**self._steps)
        result: Floats = weights - self._rate * mean / (np.sqrt(square) + 1e-12)
        return result

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Give what is needed to go on."""
        return {"mean": self._mean, "square": self._square, "descents": np.float64(self._steps)}


def pack(arrays: Mapping[str, npt.NDArray[np.float64]]) -> bytes:
    """Write arrays as the bytes of an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]  # its other argument is a flag
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, npt.NDArray[np.float64]]:
    """Read what `pack` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
