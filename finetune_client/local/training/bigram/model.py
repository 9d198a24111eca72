"""A byte-level softmax bigram: the smallest language model that really learns from text.

It predicts each byte of a text from the byte before it. Symbol 256 stands before a text's first
byte and, as what is predicted, after its last. A token is a byte of a text, or that last symbol.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

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
    "load",
    "log_probabilities",
    "next_symbol",
    "pairs",
    "sample",
    "save",
    "score",
]

EDGE = 256
SYMBOLS = 257


def pairs(texts: Iterable[str]) -> Ints:
    """Return the (previous, next) pairs of texts, each as the number previous * 257 + next."""
    arrays = [np.zeros(0, dtype=np.int64)]
    for text in texts:
        symbols = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        edged = np.concatenate(([EDGE], symbols.astype(np.int64), [EDGE]))
        arrays.append(edged[:-1] * SYMBOLS + edged[1:])
    return np.concatenate(arrays)


def count(examples: Sequence[Ints], weights: Sequence[float] | None = None) -> Floats:
    """Return how often each symbol follows each, as a matrix with a row for each previous symbol.

    Args:
        examples: The `pairs` of each example.
        weights: How much each example counts; 1 unless given.
    """
    joined = np.concatenate([np.zeros(0, dtype=np.int64), *examples])
    sizes = [len(example) for example in examples]
    each = None if weights is None else np.repeat(np.asarray(weights, dtype=np.float64), sizes)
    counts = np.bincount(joined, weights=each, minlength=SYMBOLS * SYMBOLS)
    return counts.reshape(SYMBOLS, SYMBOLS).astype(np.float64)


def log_probabilities(weights: Floats) -> Floats:
    """Return the log-softmax of each row."""
    shifted = weights - weights.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


@dataclass(frozen=True, slots=True)
class Score:
    """How well texts are predicted: mean loss in nats per token, and share of correct tokens."""

    loss: float
    accuracy: float
    tokens: int


def score(weights: Floats, logs: Floats, counts: Floats) -> Score:
    """Measure the model on the texts whose pairs ``counts`` holds."""
    tokens = max(counts.sum(), 1.0)
    correct = counts[np.arange(SYMBOLS), weights.argmax(axis=1)].sum()
    return Score(float(-(counts * logs).sum() / tokens), float(correct / tokens), int(tokens))


def gradient(logs: Floats, counts: Floats) -> Floats:
    """Return the gradient, by the weights, of the counted texts' negative log-likelihood."""
    result: Floats = counts.sum(axis=1, keepdims=True) * np.exp(logs) - counts
    return result


def cumulative(logs: Floats) -> Floats:
    """Return the cumulative probabilities of each row, for `sample`."""
    result: Floats = np.exp(logs).cumsum(axis=1)
    return result


def next_symbol(sums: Floats, previous: int, rng: np.random.Generator) -> int:
    """Sample the symbol that follows another one; ``sums`` are the model's `cumulative`."""
    row = sums[previous]
    # "right": a symbol without any probability has the same sum as the one before it.
    return min(int(np.searchsorted(row, rng.random() * row[-1], side="right")), EDGE)


def sample(sums: Floats, rng: np.random.Generator, max_bytes: int) -> str:
    """Sample a text of at most ``max_bytes`` bytes; ``sums`` are the model's `cumulative`."""
    symbols: list[int] = []
    previous = EDGE
    while len(symbols) < max_bytes:
        previous = next_symbol(sums, previous, rng)
        if previous == EDGE:
            break
        symbols.append(previous)
    return bytes(symbols).decode("utf-8", "replace")


class Adam:
    """Gradient descent with the step sizes of Adam (https://arxiv.org/abs/1412.6980).

    Args:
        rate: The step size: about how far a weight moves in a step.
        state: The arrays of an earlier `state()`, to continue from there.
    """

    def __init__(self, rate: float, state: Mapping[str, npt.NDArray[np.float64]] | None) -> None:
        start = state or {}
        zeros = np.zeros((SYMBOLS, SYMBOLS))
        self._rate = rate
        self._mean = start.get("mean", zeros)
        self._square = start.get("square", zeros)
        self._steps = int(start["updates"]) if "updates" in start else 0

    def update(self, weights: Floats, gradient: Floats) -> Floats:
        """Return the weights after one step against the gradient."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.99 * self._square + 0.01 * gradient * gradient
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.99**self._steps)
        result: Floats = weights - self._rate * mean / (np.sqrt(square) + 1e-12)
        return result

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return what another `Adam` needs to continue."""
        return {"mean": self._mean, "square": self._square, "updates": np.float64(self._steps)}


def save(arrays: Mapping[str, npt.NDArray[np.float64]], path: Path) -> None:
    """Write arrays to an npz file."""
    # In memory first: a zip file that meets a full disk complains once more when it is collected.
    packed = io.BytesIO()
    np.savez(packed, **dict(arrays))  # type: ignore[arg-type]  # its other argument is a flag
    with path.open("xb") as file:
        file.write(packed.getbuffer())


def load(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read the arrays that `save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
