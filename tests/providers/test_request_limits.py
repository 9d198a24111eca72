from __future__ import annotations

import math
from typing import Any

import pytest

from finetune_client.models import FineTuningJobRequest
from finetune_client.providers import (
    AZURE,
    AZURE_CLASSIC,
    LOCAL,
    NEBIUS,
    OPENAI,
    PROVIDERS,
    Bounds,
    Limits,
    Provider,
)


@pytest.mark.parametrize(
    ("bounds", "value", "problem"),
    [
        (Bounds(least=1, most=50, whole=True), 1, None),
        (Bounds(least=1, most=50, whole=True), 50, None),
        (Bounds(least=1, most=50, whole=True), "auto", None),
        (Bounds(least=1, most=50, whole=True), 51, "must be >= 1 and <= 50, got 51"),
        (Bounds(least=1, most=50, whole=True), 2.5, 'must be "auto" or a whole number, got 2.5'),
        (Bounds(least=1, whole=True), True, 'must be "auto" or a whole number, got True'),
        (Bounds(above=0), 0, "must be > 0, got 0"),
        (Bounds(above=0), 0.5, None),
        (Bounds(above=0), math.nan, "must be a finite number, got nan"),
        (Bounds(above=0), math.inf, "must be a finite number, got inf"),
        (Bounds(above=0), "2", "must be \"auto\" or a number, got '2'"),
        (Bounds(above=0, auto=False), "auto", "must be a number, got 'auto'"),
        (Bounds(above=0.00001, most=10), 1e-05, "must be > 0.00001 and <= 10, got 0.00001"),
        (Bounds(auto=False), [1], "must be a number, got [1]"),
        (Bounds(least=1, whole=True, automatic=-1), -1, None),
        (Bounds(least=1, whole=True, automatic=-1), -2, "must be >= 1, got -2"),
        (Bounds(above=0, automatic=-1), -1.0, None),
        (Bounds(above=0), -1, "must be > 0, got -1"),
    ],
)
def test_bounds__say_what_is_wrong(bounds: Bounds, value: Any, problem: str | None) -> None:
    assert bounds.problem(value) == problem


@pytest.mark.parametrize("method", ["supervised", "dpo", "reinforcement"])
def test_hyperparameters__are_those_of_the_method(method: str) -> None:
    for limits in (OPENAI.limits, AZURE.limits):
        assert {"batch_size", "learning_rate_multiplier", "n_epochs"} <= set(
            limits.hyperparameters(method)
        )


def test_hyperparameters__only_dpo_has_beta() -> None:
    limits = Limits()
    having = {
        method
        for method in ("supervised", "dpo", "reinforcement")
        if "beta" in limits.hyperparameters(method)
    }
    assert having == {"dpo"}


def test_hyperparameters__of_an_unknown_method_are_none() -> None:
    assert Limits().hyperparameters("distillation") == {}


def test_limits__of_azure_are_narrower() -> None:
    settings = AZURE.limits.reinforcement
    assert AZURE.limits.suffix < OPENAI.limits.suffix
    assert settings["eval_samples"].problem(11) == "must be >= 1 and <= 10, got 11"
    assert OPENAI.limits.reinforcement["eval_samples"].problem(11) is None


@pytest.mark.parametrize("provider", [AZURE, AZURE_CLASSIC])
@pytest.mark.parametrize("method", ["supervised", "dpo", "reinforcement"])
def test_limits__azure_takes_minus_one_for_every_setting(provider: Provider, method: str) -> None:
    for name, bounds in provider.limits.hyperparameters(method).items():
        assert bounds.problem(-1) is None, name
    for name, bounds in OPENAI.limits.hyperparameters(method).items():
        assert bounds.problem(-1) is not None, name


UNUSUAL: dict[str, Any] = {
    "model": "m",
    "training_file": "file-1",
    "suffix": "x" * 65,
    "seed": -1,
    "metadata": {**{str(number): "v" for number in range(17)}, "k" * 65: "v" * 513},
    "method": {
        "type": "reinforcement",
        "reinforcement": {
            "grader": {"type": "lambda", "lambda": {"function": "arn"}},
            "hyperparameters": {
                "n_epochs": 100,
                "batch_size": -1,
                "learning_rate_multiplier": -1,
                "eval_samples": 0,
                "reasoning_effort": "utmost",
            },
        },
    },
}
KNOWN = [OPENAI, AZURE, AZURE_CLASSIC, LOCAL]


@pytest.mark.parametrize("provider", [one for one in PROVIDERS.values() if one not in KNOWN])
def test_limits__what_nobody_knows_is_sent(provider: Provider) -> None:
    request = FineTuningJobRequest.from_dict(UNUSUAL)
    assert request.problems(limits=provider.limits) == []
    assert len(request.problems(limits=OPENAI.limits)) == 10


@pytest.mark.parametrize("value", ["3", True, 1.5, math.nan, [1]])
def test_limits__that_a_number_is_one_is_checked_everywhere(value: Any) -> None:
    for provider in PROVIDERS.values():
        bounds = provider.limits.hyperparameters("supervised")["n_epochs"]
        assert bounds.problem(value) is not None, provider.name


def test_limits__of_nebius_are_its_own_alone() -> None:
    settings = NEBIUS.limits.supervised
    assert settings["n_epochs"].problem(21) == "must be >= 1 and <= 20, got 21"
    assert settings["batch_size"].problem(33) == "must be >= 1 and <= 32, got 33"
    assert settings["learning_rate_multiplier"].problem(-1) is None
