from __future__ import annotations

import json
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import ConfigurationError
from finetune_client.models import (
    AUTO,
    DpoHyperparameters,
    DpoMethod,
    FineTuningJobRequest,
    FineTuningMethod,
    Hyperparameters,
    Integration,
    Limits,
    ReinforcementHyperparameters,
    ReinforcementMethod,
    StringCheckGrader,
    SupervisedMethod,
    WandbIntegration,
    unknown_fields,
)
from finetune_client.models.job_request import needed_features
from finetune_client.providers import PROVIDERS
from tests.support.model_values import json_values

GRADER = StringCheckGrader(
    name="g", input="{{sample.output_text}}", reference="{{item.answer}}", operation="eq"
)


def request(**fields: Any) -> FineTuningJobRequest:
    return FineTuningJobRequest(**{"model": "gpt-4o-mini", "training_file": "file-1", **fields})


class Foreign:
    """An object of another library's."""

    def __init__(self, **keys: Any) -> None:
        self._keys = keys

    def to_dict(self) -> dict[str, Any]:
        return self._keys


def test_request__takes_objects_of_other_libraries() -> None:
    made = request(
        method=Foreign(type="dpo", dpo={"hyperparameters": {"beta": 3}}),
        hyperparameters=Foreign(n_epoch=1),
        integrations=[Foreign(type="wandb", wandb={"project": "p"})],
    )
    assert made.to_dict() == {
        "model": "gpt-4o-mini",
        "training_file": "file-1",
        "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}},
        "hyperparameters": {"n_epoch": 1},
        "integrations": [{"type": "wandb", "wandb": {"project": "p"}}],
    }
    assert made.problems() == ["method.dpo.hyperparameters.beta: must be > 0 and <= 2, got 3"]
    assert [text.partition("?")[0] for text in unknown_fields(made)] == [
        "hyperparameters.n_epoch: did you mean n_epochs"
    ]


def supervised(**settings_: Any) -> FineTuningJobRequest:
    return request(method=SupervisedMethod(hyperparameters=Hyperparameters(**settings_)))


def dpo(**settings_: Any) -> FineTuningJobRequest:
    return request(method=DpoMethod(hyperparameters=DpoHyperparameters(**settings_)))


def reinforcement(**settings_: Any) -> FineTuningJobRequest:
    hyperparameters = ReinforcementHyperparameters(**settings_)
    return request(method=ReinforcementMethod(grader=GRADER, hyperparameters=hyperparameters))


def test_request__goes_out_as_it_was_built() -> None:
    built = request(
        validation_file="file-2",
        suffix="mine",
        seed=0,
        method=SupervisedMethod(hyperparameters=Hyperparameters(n_epochs=AUTO)),
        integrations=[WandbIntegration(project="p", tags=["a"])],
        metadata={"k": "v"},
        extra={"trainingType": "globalstandard", "suffix": "other"},
    )
    assert built.problems() == []
    assert built.to_dict() == {
        "model": "gpt-4o-mini",
        "training_file": "file-1",
        "validation_file": "file-2",
        "suffix": "mine",
        "seed": 0,
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": "auto"}},
        },
        "integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": ["a"]}}],
        "metadata": {"k": "v"},
        "trainingType": "globalstandard",
    }


def test_request__puts_settings_under_their_type() -> None:
    method = DpoMethod(hyperparameters=DpoHyperparameters(beta=0.1))
    assert request(method=method).method == FineTuningMethod(type="dpo", dpo=method)
    wandb = WandbIntegration(project="p")
    assert request(integrations=(wandb,)).integrations == [Integration.of(wandb)]


def test_request__takes_plain_dicts_at_every_place() -> None:
    wire = {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": "auto"}},
    }
    half: Any = {"n_epochs": 3, "batch_size": AUTO}
    for method in (
        wire,
        FineTuningMethod.from_dict(wire),
        SupervisedMethod(hyperparameters=half),
        {"type": "supervised", "supervised": SupervisedMethod(hyperparameters=half)},
        {"type": "supervised", "supervised": {"hyperparameters": half}},
        FineTuningMethod(type="supervised", supervised=wire["supervised"]),  # type: ignore[arg-type]  # what the checker refuses works
    ):
        assert request(method=method).to_dict()["method"] == wire
        assert request(method=method).problems() == []
    integration = {"type": "wandb", "wandb": {"project": "p"}}
    assert request(integrations=[integration]).to_dict()["integrations"] == [integration]


def test_request__null_can_be_sent_on_purpose() -> None:
    assert request(extra={"suffix": None}).to_dict()["suffix"] is None


def test_problems__of_nothing() -> None:
    assert FineTuningJobRequest().problems() == ["model: is missing", "training_file: is missing"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"model": ""}, "model: must not be empty"),
        ({"model": 5}, "model: must be text, got 5"),
        ({"training_file": " "}, "training_file: must not be empty"),
        ({"validation_file": ""}, "validation_file: must not be empty"),
        ({"suffix": ""}, "suffix: must have 1 to 64 characters, got 0"),
        ({"suffix": "s" * 65}, "suffix: must have 1 to 64 characters, got 65"),
        ({"suffix": 5}, "suffix: must be text, got 5"),
        ({"seed": -1}, "seed: must be >= 0 and <= 2147483647, got -1"),
        ({"seed": 2**31}, "seed: must be >= 0 and <= 2147483647, got 2147483648"),
        ({"seed": True}, "seed: must be a whole number, got True"),
        ({"seed": "auto"}, "seed: must be a whole number, got 'auto'"),
        ({"metadata": "k"}, "metadata: must be an object, got 'k'"),
        ({"metadata": {"k": 5}}, "metadata.k: must be text, got 5"),
        ({"metadata": {5: "v"}}, "metadata: each key must be text, got 5"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k: must have at most 512 characters, got 513"),
        (
            {"metadata": {"k" * 65: "v"}},
            f"metadata: the key '{'k' * 65}' must have at most 64 characters, got 65",
        ),
        (
            {"metadata": {str(n): "v" for n in range(17)}},
            "metadata: must have at most 16 pairs, got 17",
        ),
        ({"hyperparameters": 5}, "hyperparameters: must be an object, got 5"),
        (
            {"hyperparameters": {"n_epochs": 51}},
            "hyperparameters.n_epochs: must be >= 1 and <= 50, got 51",
        ),
        (
            {"hyperparameters": {"n_epochs": Decimal(3)}},
            "hyperparameters.n_epochs: must be \"auto\" or a whole number, got Decimal('3')",
        ),
        ({"method": "dpo"}, "method: must be an object, got 'dpo'"),
        ({"method": {"supervised": {}}}, "method.type: is missing"),
        ({"method": {"type": ""}}, "method.type: must not be empty"),
        (
            {"method": {"type": "reinforcement"}},
            'method.reinforcement: is missing, though method.type is "reinforcement"',
        ),
        (
            {"method": {"type": "dpo", "supervised": {}}},
            'method.dpo: is missing, though method.type is "dpo"',
        ),
        (
            {"method": {"type": "reinforcement", "reinforcement": {}}},
            "method.reinforcement.grader: is missing",
        ),
        (
            {"method": {"type": "supervized", "supervised": {}}},
            'method.supervized: is missing, though method.type is "supervized"',
        ),
        (
            {"method": {"type": "dpo", "dpo": "x"}},
            "method.dpo: must be an object, got 'x'",
        ),
        (
            {"method": {"type": "dpo", "dpo": {"hyperparameters": [1]}}},
            "method.dpo.hyperparameters: must be an object, got [1]",
        ),
        ({"method": ReinforcementMethod()}, "method.reinforcement.grader: is missing"),
        (
            {"method": ReinforcementMethod(grader=GRADER, response_format="json")},  # type: ignore[arg-type]  # it is what is tested
            "method.reinforcement.response_format: must be an object, got 'json'",
        ),
        ({"integrations": "wandb"}, "integrations: must be an array, got 'wandb'"),
        ({"integrations": [5]}, "integrations[0]: must be an object, got 5"),
        ({"integrations": [None]}, "integrations[0]: is missing"),
        ({"integrations": [{}]}, "integrations[0].type: is missing"),
        ({"integrations": [{"type": "wandb"}]}, "integrations[0].wandb: is missing"),
        (
            {"integrations": [WandbIntegration(project="p"), WandbIntegration()]},
            "integrations[1].wandb.project: is missing",
        ),
        (
            {"integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": "a"}}]},
            "integrations[0].wandb.tags: must be an array of texts, at least one, got 'a'",
        ),
        (
            {"integrations": [{"type": "wandb", "wandb": {"project": "p", "tags": {}}}]},
            "integrations[0].wandb.tags: must be an array of texts, at least one, got {}",
        ),
        (
            {"integrations": [WandbIntegration(project="p", name=5)]},  # type: ignore[arg-type]  # it is what is tested
            "integrations[0].wandb.name: must be text, got 5",
        ),
        (
            {"integrations": [{"type": "wandb", "wandb": {"project": "p", "entity": True}}]},
            "integrations[0].wandb.entity: must be text, got True",
        ),
        (
            {"integrations": [WandbIntegration(project="p", tags=["a", ""])]},
            "integrations[0].wandb.tags[1]: must not be empty",
        ),
        ({"extra": {"x": [1.0, float("nan")]}}, "x[1]: must be a finite number, got nan"),
        (
            {"suffix": "caf\udcc3"},
            "suffix: must be valid Unicode, got 'caf\\udcc3'; was it read in another encoding?",
        ),
        ({"extra": {"x": {"y": {1}}}}, "x.y: cannot be written as JSON, got {1}"),
    ],
)
def test_problems__one_each(fields: dict[str, Any], problem: str) -> None:
    assert request(**fields).problems() == [problem]


@pytest.mark.parametrize(
    "method",
    [
        {"type": "supervised"},
        {"type": "dpo"},
        {"type": "supervised", "supervised": None},
        {"type": "supervised", "supervised": {}},
        {"type": "tomorrow"},
    ],
)
@pytest.mark.parametrize("settings_", [None, {"n_epochs": 2, "batch_size": "auto"}])
@pytest.mark.parametrize("limits", ["openai", "azure", "azure-classic"])
def test_problems__a_method_needs_no_settings(
    method: dict[str, Any], settings_: dict[str, Any] | None, limits: str
) -> None:
    built = request(method=method, hyperparameters=settings_)
    assert built.problems(limits) == []
    assert built.to_dict()["method"] == method


@pytest.mark.parametrize(
    ("built", "problem"),
    [
        (supervised(n_epochs=0), "supervised|n_epochs: must be >= 1 and <= 50, got 0"),
        (supervised(n_epochs=51), "supervised|n_epochs: must be >= 1 and <= 50, got 51"),
        (supervised(batch_size=257), "supervised|batch_size: must be >= 1 and <= 256, got 257"),
        (
            supervised(learning_rate_multiplier=0),
            "supervised|learning_rate_multiplier: must be > 0, got 0",
        ),
        (
            supervised(learning_rate_multiplier=float("inf")),
            "supervised|learning_rate_multiplier: must be a finite number, got inf",
        ),
        (
            supervised(n_epochs=float("nan")),
            'supervised|n_epochs: must be "auto" or a whole number, got nan',
        ),
        (
            supervised(n_epochs=True),
            'supervised|n_epochs: must be "auto" or a whole number, got True',
        ),
        (
            supervised(n_epochs=2.0),
            'supervised|n_epochs: must be "auto" or a whole number, got 2.0',
        ),
        (
            supervised(n_epochs="Auto"),
            "supervised|n_epochs: must be \"auto\" or a whole number, got 'Auto'",
        ),
        (
            supervised(learning_rate_multiplier="0.1"),
            "supervised|learning_rate_multiplier: must be \"auto\" or a number, got '0.1'",
        ),
        (dpo(beta=3), "dpo|beta: must be > 0 and <= 2, got 3"),
        (dpo(beta=0), "dpo|beta: must be > 0 and <= 2, got 0"),
        (dpo(n_epochs=99), "dpo|n_epochs: must be >= 1 and <= 50, got 99"),
        (
            reinforcement(compute_multiplier=0.00001),
            "reinforcement|compute_multiplier: must be > 0.00001 and <= 10, got 0.00001",
        ),
        (
            reinforcement(compute_multiplier=11),
            "reinforcement|compute_multiplier: must be > 0.00001 and <= 10, got 11",
        ),
        (reinforcement(eval_interval=0), "reinforcement|eval_interval: must be >= 1, got 0"),
        (reinforcement(eval_samples=-5), "reinforcement|eval_samples: must be >= 1, got -5"),
        (
            reinforcement(reasoning_effort="auto"),
            "reinforcement|reasoning_effort: must be one of default, low, medium, high, got 'auto'",
        ),
        (
            reinforcement(reasoning_effort=5),
            "reinforcement|reasoning_effort: must be one of default, low, medium, high, got 5",
        ),
    ],
)
def test_problems__of_settings(built: FineTuningJobRequest, problem: str) -> None:
    method, _, rest = problem.partition("|")
    assert built.problems() == [f"method.{method}.hyperparameters.{rest}"]


@pytest.mark.parametrize(
    "built",
    [
        supervised(n_epochs=1, batch_size=256, learning_rate_multiplier=1e-12),
        supervised(n_epochs=AUTO, batch_size=AUTO, learning_rate_multiplier=AUTO),
        supervised(n_epochs="auto"),
        dpo(beta=2, n_epochs=50),
        reinforcement(
            compute_multiplier=10, eval_interval=1000, eval_samples=1, reasoning_effort="high"
        ),
        request(method={"type": "tomorrow", "tomorrow": {"any": 1}}),
        request(method={"type": "dpo", "dpo": {}, "supervised": {}}),
        request(suffix="s" * 64, metadata={"k" * 64: "v" * 512}, seed=2**31 - 1),
        request(metadata={}, integrations=[]),
        request(integrations=[{"type": "mlflow", "mlflow": {}}]),
        request(integrations=[WandbIntegration(project="p", tags=[])]),
    ],
)
def test_problems__none(built: FineTuningJobRequest) -> None:
    assert built.problems() == []


def test_problems__all_at_once() -> None:
    built = FineTuningJobRequest(
        suffix="",
        seed=True,
        metadata={"k": "v" * 600},
        method={
            "type": "dpo",
            "dpo": {"hyperparameters": {"beta": 3, "n_epochs": True}},
            "reinforcement": {"grader": {"type": "python"}},
        },
        extra={"x": float("inf")},
    )
    assert built.problems() == [
        "model: is missing",
        "training_file: is missing",
        "suffix: must have 1 to 64 characters, got 0",
        "seed: must be a whole number, got True",
        "metadata.k: must have at most 512 characters, got 600",
        'method.dpo.hyperparameters.n_epochs: must be "auto" or a whole number, got True',
        "method.dpo.hyperparameters.beta: must be > 0 and <= 2, got 3",
        "method.reinforcement.grader.source: is missing",
        "x: must be a finite number, got inf",
    ]


def test_problems__are_found_in_what_was_read_too() -> None:
    sent = {"model": "m", "training_file": "f", "suffix": 5, "hyperparameters": {"n_epochs": "3"}}
    read = FineTuningJobRequest.from_dict(sent)
    assert read.to_dict() == sent
    assert read.problems() == [
        "suffix: must be text, got 5",
        "hyperparameters.n_epochs: must be \"auto\" or a whole number, got '3'",
    ]


@pytest.mark.parametrize(
    ("built", "problem"),
    [
        (request(suffix="s" * 41), "suffix: must have 1 to 40 characters, got 41"),
        (
            request(suffix="my model.2"),
            "suffix: must have only characters of A-Za-z0-9_-, got 'my model.2'",
        ),
        (
            reinforcement(compute_multiplier=0.4),
            (
                "method.reinforcement.hyperparameters.compute_multiplier: "
                "must be >= 0.5 and <= 3, got 0.4"
            ),
        ),
        (
            reinforcement(eval_interval=26),
            "method.reinforcement.hyperparameters.eval_interval: must be >= 1 and <= 25, got 26",
        ),
        (
            reinforcement(eval_samples=11),
            "method.reinforcement.hyperparameters.eval_samples: must be >= 1 and <= 10, got 11",
        ),
    ],
)
def test_problems__azure_has_limits_of_its_own(built: FineTuningJobRequest, problem: str) -> None:
    assert built.problems() == []
    assert built.problems(limits="azure") == [problem]


def test_problems__of_a_suffix_that_azure_takes() -> None:
    assert request(suffix="My_model-2" * 4).problems(limits="azure") == []


def test_problems__with_limits_of_ones_own() -> None:
    assert request(suffix="s" * 100).problems(Limits(suffix=200)) == []


def test_problems__of_a_server_that_nobody_knows() -> None:
    with pytest.raises(ConfigurationError) as caught:
        request().problems("mars")
    names = ", ".join(map(repr, PROVIDERS))
    assert str(caught.value) == f"provider must be one of {names}, or a Provider, got 'mars'."


def test_problems__huge_values_are_shown_short() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    found = request(seed=10**5000, suffix=deep, metadata={"k": deep}).problems()
    assert found[1] == "seed: must be >= 0 and <= 2147483647, got a number of thousands of digits"
    assert max(map(len, found)) < 400


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["model", "training_file", "suffix", "seed", "method", "metadata"])
        | st.sampled_from(["hyperparameters", "integrations", "validation_file", "new"]),
        json_values,
    )
)
def test_problems__never_raises(sent: dict[str, Any]) -> None:
    known = {key: value for key, value in sent.items() if key != "new"}
    for built in (FineTuningJobRequest.from_dict(sent), FineTuningJobRequest(**known)):
        assert all(": " in problem for problem in built.problems("azure"))
        assert all(": " in text for text in unknown_fields(built))
    assert FineTuningJobRequest.from_dict(sent).to_dict().get("new") == sent.get("new")


class Measured(float):
    """What numpy's ``float64`` is: a number that is a Python float."""


class Passes(IntEnum):
    FEW = 3


def test_problems__takes_what_json_writes_as_a_number() -> None:
    built = supervised(n_epochs=Passes.FEW, learning_rate_multiplier=Measured(0.5))
    assert built.problems() == []
    sent = json.loads(json.dumps(built.to_dict()["method"]["supervised"]))
    assert sent == {"hyperparameters": {"n_epochs": 3, "learning_rate_multiplier": 0.5}}
    assert supervised(learning_rate_multiplier=Measured("nan")).problems() == [
        "method.supervised.hyperparameters.learning_rate_multiplier: must be a finite number, got nan"
    ]


def test_needed_features__are_those_of_what_is_sent() -> None:
    sent = {
        "method": {"type": "dpo"},
        "metadata": {"a": "b"},
        "integrations": [{"type": "wandb"}],
        "suffix": "s",
        "hyperparameters": {},
    }
    assert dict(needed_features(sent)) == {
        "method": "a job's method",
        "metadata": "a job's metadata",
        "integrations": "a job's integrations",
        "suffix": "a job's suffix",
        "method_and_hyperparameters": "method and hyperparameters in one job",
    }
    assert list(needed_features({"model": "m", "metadata": {}, "suffix": ""})) == []
    assert list(needed_features({"hyperparameters": {}})) == []
