"""The objectives of the methods: supervised, preferences (DPO), rewards (reinforcement)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from finetune_client.local.training.bigram import model as bigram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from finetune_client.local.training.bigram.examples import Example
    from finetune_client.local.training.bigram.model import Floats, Ints

__all__ = ["Gradient", "Objective", "Preferences", "Rewards", "Supervised"]

_MAX_SAMPLE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Gradient:
    """A batch's gradient by the weights, what was measured on the batch, and its tokens."""

    values: Floats
    metrics: dict[str, float]
    tokens: int


class Objective(Protocol):
    """What training minimises. `batch` holds positions in a list of examples."""

    def gradient(
        self, weights: Floats, batch: Sequence[int], rng: np.random.Generator, /
    ) -> Gradient:
        """Return the gradient of a batch of training examples."""

    def measure(
        self, weights: Floats, batch: Sequence[int], rng: np.random.Generator, prefix: str, /
    ) -> dict[str, float]:
        """Return metrics of a batch of validation examples; their names begin with ``prefix``."""


def _metrics(prefix: str, score: bigram.Score) -> dict[str, float]:
    return {f"{prefix}_loss": score.loss, f"{prefix}_mean_token_accuracy": score.accuracy}


class Supervised:
    """The mean negative log-likelihood of the assistant's tokens."""

    def __init__(self, examples: Sequence[Example], validation: Sequence[Example]) -> None:
        self._train = [bigram.pairs(example.texts) for example in examples]
        self._valid = [bigram.pairs(example.texts) for example in validation]

    def gradient(
        self, weights: Floats, batch: Sequence[int], _rng: np.random.Generator
    ) -> Gradient:
        """See `Objective`."""
        counts = bigram.count([self._train[index] for index in batch])
        logs = bigram.log_probabilities(weights)
        score = bigram.score(weights, logs, counts)
        gradient = bigram.gradient(logs, counts) / score.tokens
        return Gradient(gradient, _metrics("train", score), score.tokens)

    def measure(
        self, weights: Floats, batch: Sequence[int], _rng: np.random.Generator, prefix: str
    ) -> dict[str, float]:
        """See `Objective`."""
        counts = bigram.count([self._valid[index] for index in batch])
        return _metrics(prefix, bigram.score(weights, bigram.log_probabilities(weights), counts))


class Preferences:
    """Direct preference optimisation (https://arxiv.org/abs/2305.18290).

    The loss is ``-log sigmoid(beta * (gain of preferred - gain of rejected))``, the gain being
    the log-probability above that of the model the job started from. Accuracies are those of the
    preferred output's tokens.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        validation: Sequence[Example],
        start: Floats,
        beta: float,
    ) -> None:
        self._train = [self._pair(example) for example in examples]
        self._valid = [self._pair(example) for example in validation]
        self._reference = bigram.log_probabilities(start)
        self._beta = beta

    @staticmethod
    def _pair(example: Example) -> tuple[Ints, Ints]:
        return bigram.pairs(example.texts), bigram.pairs(example.rejected)

    def _margin(self, logs: Floats, pair: tuple[Ints, Ints]) -> float:
        gain = (logs - self._reference).ravel()
        return self._beta * float(gain[pair[0]].sum() - gain[pair[1]].sum())

    def _score(
        self, weights: Floats, logs: Floats, pairs: Sequence[tuple[Ints, Ints]], prefix: str
    ) -> dict[str, float]:
        losses = [np.logaddexp(0.0, -self._margin(logs, pair)) for pair in pairs]
        preferred = bigram.count([pair[0] for pair in pairs])
        metrics = _metrics(prefix, bigram.score(weights, logs, preferred))
        metrics[f"{prefix}_loss"] = float(np.mean(losses))
        return metrics

    def gradient(
        self, weights: Floats, batch: Sequence[int], _rng: np.random.Generator
    ) -> Gradient:
        """See `Objective`."""
        pairs = [self._train[index] for index in batch]
        logs = bigram.log_probabilities(weights)
        margins = [self._margin(logs, pair) for pair in pairs]
        factors = self._beta * np.exp(-np.logaddexp(0.0, margins)) / len(pairs)
        outputs = [one for side in zip(*pairs, strict=True) for one in side]
        gradient = bigram.gradient(logs, bigram.count(outputs, [*factors, *-factors]))
        tokens = sum(len(one) for one in outputs)
        return Gradient(gradient, self._score(weights, logs, pairs, "train"), tokens)

    def measure(
        self, weights: Floats, batch: Sequence[int], _rng: np.random.Generator, prefix: str
    ) -> dict[str, float]:
        """See `Objective`."""
        pairs = [self._valid[index] for index in batch]
        return self._score(weights, bigram.log_probabilities(weights), pairs, prefix)


class Rewards:
    """REINFORCE (https://doi.org/10.1007/BF00992696), with the mean reward as its baseline.

    Texts are sampled and graded; each becomes likelier by how far its reward is above the mean of
    its prompt. The bigram does not see the prompt, so there is little that it can learn.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        validation: Sequence[Example],
        reward: Callable[[str, Mapping[str, Any]], float],
        *,
        samples: int,
        eval_samples: int,
    ) -> None:
        self._train = [example.line for example in examples]
        self._valid = [example.line for example in validation]
        self._reward = reward
        self._samples = samples
        self._eval_samples = eval_samples

    def gradient(self, weights: Floats, batch: Sequence[int], rng: np.random.Generator) -> Gradient:
        """See `Objective`."""
        logs = bigram.log_probabilities(weights)
        sums = bigram.cumulative(logs)
        samples: list[Ints] = []
        rewards: list[float] = []
        advantages: list[float] = []
        for index in batch:
            texts = [bigram.sample(sums, rng, _MAX_SAMPLE_BYTES) for _ in range(self._samples)]
            grades = [self._reward(text, self._train[index]) for text in texts]
            mean = sum(grades) / len(grades)
            samples += [bigram.pairs([text]) for text in texts]
            advantages += [reward - mean for reward in grades]
            rewards += grades
        gradient = bigram.gradient(logs, bigram.count(samples, advantages)) / len(rewards)
        metrics = {"train_mean_reward": sum(rewards) / len(rewards)}
        return Gradient(gradient, metrics, sum(len(one) for one in samples))

    def measure(
        self, weights: Floats, batch: Sequence[int], rng: np.random.Generator, prefix: str
    ) -> dict[str, float]:
        """See `Objective`."""
        sums = bigram.cumulative(bigram.log_probabilities(weights))
        rewards = [
            self._reward(bigram.sample(sums, rng, _MAX_SAMPLE_BYTES), self._valid[index])
            for index in batch
            for _ in range(self._eval_samples)
        ]
        return {f"{prefix}_mean_reward": sum(rewards) / len(rewards)}
