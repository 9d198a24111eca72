"""What a step of each method measures and learns: supervised, preferences, rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from finetune_client.local.training.bigram import model as bigram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from finetune_client.local.training.bigram.model import Floats, Ints
    from finetune_client.local.training.trainer import Example

__all__ = ["Learned", "Objective", "Preferences", "Rewards", "Supervised"]


@dataclass(frozen=True, slots=True)
class Learned:
    """A step's outcome: where the weights should not go, what was measured, and on how much."""

    slope: Floats
    metrics: dict[str, float]
    tokens: int


class Objective(Protocol):
    """What training makes smaller. `batch` holds positions in a list of examples."""

    def learn(self, weights: Floats, batch: Sequence[int], dice: np.random.Generator, /) -> Learned:
        """Measure the model on a batch, and say which way is up."""

    def measure(
        self, weights: Floats, batch: Sequence[int], dice: np.random.Generator, prefix: str, /
    ) -> dict[str, float]:
        """Measure the model on validation examples, under names that begin with ``prefix``."""


def _names(prefix: str, score: bigram.Score) -> dict[str, float]:
    return {f"{prefix}_loss": score.loss, f"{prefix}_mean_token_accuracy": score.accuracy}


class Supervised:
    """Predict the assistant's text: the mean negative log-likelihood of its tokens."""

    def __init__(self, examples: Sequence[Example], validation: Sequence[Example]) -> None:
        self._train = [bigram.pairs(example.texts) for example in examples]
        self._valid = [bigram.pairs(example.texts) for example in validation]

    def learn(self, weights: Floats, batch: Sequence[int], _dice: np.random.Generator) -> Learned:
        """See `Objective`."""
        counts = bigram.count([self._train[index] for index in batch])
        logs = bigram.log_probabilities(weights)
        score = bigram.score(weights, logs, counts)
        slope = bigram.gradient(logs, counts) / score.tokens
        return Learned(slope, _names("train", score), score.tokens)

    def measure(
        self, weights: Floats, batch: Sequence[int], _dice: np.random.Generator, prefix: str
    ) -> dict[str, float]:
        """See `Objective`."""
        counts = bigram.count([self._valid[index] for index in batch])
        return _names(prefix, bigram.score(weights, bigram.log_probabilities(weights), counts))


class Preferences:
    """Prefer one output to another (https://arxiv.org/abs/2305.18290).

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
        self._train = [self._both(example) for example in examples]
        self._valid = [self._both(example) for example in validation]
        self._reference = bigram.log_probabilities(start)
        self._beta = beta

    @staticmethod
    def _both(example: Example) -> tuple[Ints, Ints]:
        return bigram.pairs(example.texts), bigram.pairs(example.rejected)

    def _lead(self, logs: Floats, couple: tuple[Ints, Ints]) -> float:
        gain = (logs - self._reference).ravel()
        return self._beta * float(gain[couple[0]].sum() - gain[couple[1]].sum())

    def _score(
        self, weights: Floats, logs: Floats, couples: Sequence[tuple[Ints, Ints]], prefix: str
    ) -> dict[str, float]:
        losses = [np.logaddexp(0.0, -self._lead(logs, couple)) for couple in couples]
        preferred = bigram.count([couple[0] for couple in couples])
        metrics = _names(prefix, bigram.score(weights, logs, preferred))
        metrics[f"{prefix}_loss"] = float(np.mean(losses))
        return metrics

    def learn(self, weights: Floats, batch: Sequence[int], _dice: np.random.Generator) -> Learned:
        """See `Objective`."""
        couples = [self._train[index] for index in batch]
        logs = bigram.log_probabilities(weights)
        leads = [self._lead(logs, couple) for couple in couples]
        pull = self._beta * np.exp(-np.logaddexp(0.0, leads)) / len(couples)
        outputs = [one for side in zip(*couples, strict=True) for one in side]
        slope = bigram.gradient(logs, bigram.count(outputs, [*pull, *-pull]))
        tokens = sum(len(one) for one in outputs)
        return Learned(slope, self._score(weights, logs, couples, "train"), tokens)

    def measure(
        self, weights: Floats, batch: Sequence[int], _dice: np.random.Generator, prefix: str
    ) -> dict[str, float]:
        """See `Objective`."""
        couples = [self._valid[index] for index in batch]
        return self._score(weights, bigram.log_probabilities(weights), couples, prefix)


class Rewards:
    """Be graded well: texts are sampled, graded, and made likelier by how far they beat the mean.

    (REINFORCE, https://doi.org/10.1007/BF00992696.) Every reward is a grader's on a text that the
    model really wrote; the bigram sees no prompt, so there is little that it can learn.
    """

    LONGEST = 64

    def __init__(
        self,
        examples: Sequence[Example],
        validation: Sequence[Example],
        grade: Callable[[str, Mapping[str, Any]], float],
        *,
        samples: int,
        eval_samples: int,
    ) -> None:
        self._train = [example.line for example in examples]
        self._valid = [example.line for example in validation]
        self._grade = grade
        self._samples = samples
        self._eval_samples = eval_samples

    def learn(self, weights: Floats, batch: Sequence[int], dice: np.random.Generator) -> Learned:
        """See `Objective`."""
        logs = bigram.log_probabilities(weights)
        sums = bigram.cumulative(logs)
        written: list[Ints] = []
        rewards: list[float] = []
        pulls: list[float] = []
        for index in batch:
            texts = [bigram.sample(sums, dice, self.LONGEST) for _ in range(self._samples)]
            graded = [self._grade(text, self._train[index]) for text in texts]
            mean = sum(graded) / len(graded)
            written += [bigram.pairs([text]) for text in texts]
            pulls += [reward - mean for reward in graded]
            rewards += graded
        slope = bigram.gradient(logs, bigram.count(written, pulls)) / len(rewards)
        metrics = {"train_mean_reward": sum(rewards) / len(rewards)}
        return Learned(slope, metrics, sum(len(one) for one in written))

    def measure(
        self, weights: Floats, batch: Sequence[int], dice: np.random.Generator, prefix: str
    ) -> dict[str, float]:
        """See `Objective`."""
        sums = bigram.cumulative(bigram.log_probabilities(weights))
        rewards = [
            self._grade(bigram.sample(sums, dice, self.LONGEST), self._valid[index])
            for index in batch
            for _ in range(self._eval_samples)
        ]
        return {f"{prefix}_mean_reward": sum(rewards) / len(rewards)}
