from __future__ import annotations

import pytest

from finetune_client.local.training.llm.options import learning_rate, resolve, samples_per_prompt


@pytest.mark.parametrize(
    ("examples", "expected"), [(1, 1), (3, 3), (40, 4), (275, 8), (10_000, 32)]
)
def test_resolve__batch_size(examples: int, expected: int) -> None:
    settings = resolve("supervised", {"batch_size": "auto"}, examples)
    assert settings["batch_size"] == expected
    assert list(settings) == ["n_epochs", "batch_size", "learning_rate_multiplier"]


def test_resolve__what_is_given_stays() -> None:
    given = {"batch_size": 16, "n_epochs": 2, "learning_rate_multiplier": 0.5, "beta": 0.3}
    assert resolve("dpo", given, 40) == given


def test_resolve__eval_interval_is_an_epoch() -> None:
    assert resolve("reinforcement", {"batch_size": 6}, 40)["eval_interval"] == 7
    assert resolve("reinforcement", {"eval_interval": 2}, 40)["eval_interval"] == 2


@pytest.mark.parametrize(
    ("method", "full", "model_type", "hidden_size", "expected"),
    [
        ("supervised", False, "llama", 2000, 5e-4),
        ("supervised", True, "llama", 2000, 5e-5),
        ("supervised", False, "llama", 576, 1.32e-3),
        ("supervised", False, "qwen2", 576, 5.51e-4),
        ("supervised", False, "gemma", 576, 5.51e-4),
        ("dpo", False, "llama", 576, 1e-5),
        ("reinforcement", True, "llama", 576, 1e-6),
    ],
)
def test_learning_rate(
    method: str, full: bool, model_type: str, hidden_size: int, expected: float
) -> None:
    rate = learning_rate(method, full=full, model_type=model_type, hidden_size=hidden_size)
    assert rate == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize(("multiplier", "expected"), [(1.0, 8), (0.5, 4), (0.00001, 2), (10, 80)])
def test_samples_per_prompt(multiplier: float, expected: int) -> None:
    assert samples_per_prompt(multiplier) == expected
