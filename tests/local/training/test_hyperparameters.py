from __future__ import annotations

import pytest

from finetune_client.local.training.hyperparameters import resolve


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(0, 25), (1, 25), (4, 25), (10, 10), (33, 3), (34, 3), (8333, 3), (8334, 2), (30_000, 1)],
)
def test_resolve__epochs(examples: int, epochs: int) -> None:
    assert resolve("supervised", {}, examples)["n_epochs"] == epochs


@pytest.mark.parametrize(
    ("examples", "size"), [(1, 1), (63, 1), (64, 2), (120, 3), (8192, 256), (99_999, 256)]
)
def test_resolve__batch_size(examples: int, size: int) -> None:
    assert resolve("supervised", {}, examples)["batch_size"] == size


def test_resolve__keeps_what_is_given() -> None:
    given = {"n_epochs": 7, "batch_size": "auto", "learning_rate_multiplier": 0.3}
    assert resolve("dpo", given, 100) == {
        "n_epochs": 7,
        "batch_size": 3,
        "learning_rate_multiplier": 0.3,
        "beta": 0.1,
    }


def test_resolve__of_reinforcement() -> None:
    assert resolve("reinforcement", {"compute_multiplier": 2.0}, 100) == {
        "n_epochs": 3,
        "batch_size": 3,
        "learning_rate_multiplier": 1.0,
        "reasoning_effort": "default",
        "compute_multiplier": 2.0,
        "eval_interval": 34,
        "eval_samples": 1,
    }
