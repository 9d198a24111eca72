from __future__ import annotations

import warnings
from typing import Any

import pytest

from finetune_client.errors import ConfigurationError, UnknownFieldWarning
from finetune_client.models import (
    EvalItem,
    FineTuningJobRequest,
    FineTuningMethod,
    Hyperparameters,
    MultiGrader,
    ReinforcementMethod,
    ScoreModelGrader,
    SupervisedMethod,
    unknown_fields,
    warn_unknown_fields,
)

NEAR = "No field has this name here; it is sent as given."
NONE = "no field has this name; it is sent as given."


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"modle": "m"}, f"modle: did you mean model? {NEAR}"),
        ({"zzz": 1}, f"zzz: {NONE}"),
        ({"n_epochs": 3}, f"n_epochs: did you mean hyperparameters.n_epochs? {NEAR}"),
        (
            {"hyperparameters": {"n_epoch": 3}},
            f"hyperparameters.n_epoch: did you mean n_epochs? {NEAR}",
        ),
        (
            {"hyperparameters": {"learning_rate": 3}},
            f"hyperparameters.learning_rate: did you mean learning_rate_multiplier? {NEAR}",
        ),
        (
            {"method": {"type": "dpo", "hyperparameters": {"beta": 0.1}}},
            f"method.hyperparameters: did you mean dpo.hyperparameters? {NEAR}",
        ),
        (
            {"method": {"type": "supervised", "supervised": {"n_epochs": 3}}},
            f"method.supervised.n_epochs: did you mean hyperparameters.n_epochs? {NEAR}",
        ),
        (
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"beta": 1}}}},
            f"method.supervised.hyperparameters.beta: {NONE}",
        ),
        (
            {"integrations": [{"type": "wandb", "wandb": {"project": "p", "tag": "x"}}]},
            f"integrations[0].wandb.tag: did you mean tags? {NEAR}",
        ),
        (
            {"method": {"reinforcement": {"grader": {"type": "score_model", "pass_treshold": 1}}}},
            f"method.reinforcement.grader.pass_treshold: did you mean pass_threshold? {NEAR}",
        ),
        (
            {"method": {"reinforcement": {"grader": {"type": "python", "code": "x"}}}},
            f"method.reinforcement.grader.code: {NONE}",
        ),
        (
            {
                "method": {
                    "reinforcement": {
                        "grader": {"type": "multi", "graders": {"a": {"type": "python", "x": 1}}}
                    }
                }
            },
            f"method.reinforcement.grader.graders.a.x: {NONE}",
        ),
        (
            {
                "method": ReinforcementMethod(
                    grader=ScoreModelGrader(input=[{"rol": "user"}])  # type: ignore[list-item]  # a plain dict inside a model
                )
            },
            f"method.grader.input[0].rol: did you mean role? {NEAR}",
        ),
    ],
)
def test_unknown_fields__in_plain_dicts(sent: dict[str, Any], found: str) -> None:
    place = found.replace("method.grader", "method.reinforcement.grader")
    assert unknown_fields(FineTuningJobRequest.from_dict(sent)) in ([], [place])
    known = {key: value for key, value in sent.items() if key in FineTuningJobRequest.__slots__}
    request = FineTuningJobRequest(**known, extra={})
    if known:
        assert unknown_fields(request) == [place]
    else:
        assert unknown_fields(sent) == [place]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"metadata": {"anything": "goes"}},
        {"method": {"type": "tomorrow", "tomorrow": {"anything": 1}}},
        {"method": {"reinforcement": {"grader": {"type": "tomorrow", "anything": 1}}}},
        {"method": {"reinforcement": {"response_format": {"anything": 1}, "grader": 5}}},
        {"method": {"reinforcement": {"grader": {"type": "score_model", "pass_threshold": 0.5}}}},
        {"method": {"reinforcement": {"grader": {"type": "multi", "invalid_grade": 0}}}},
        {"method": 5, "integrations": "x", "hyperparameters": [5]},
    ],
)
def test_unknown_fields__none(sent: dict[str, Any]) -> None:
    assert unknown_fields(sent) == []
    assert unknown_fields(FineTuningJobRequest(**sent)) == []


def test_unknown_fields__put_into_extra_on_purpose() -> None:
    request = FineTuningJobRequest(
        model="m",
        method=SupervisedMethod(hyperparameters=Hyperparameters(extra={"warmup": 5})),
        extra={"trainingType": "globalstandard"},
    )
    assert unknown_fields(request) == []


def test_unknown_fields__in_extra_that_look_like_slips() -> None:
    method = FineTuningMethod.from_dict(
        {"type": "supervised", "supervised": {"hyperparameters": {"n_epoch": 3, "warmup": 5}}}
    )
    assert unknown_fields(FineTuningJobRequest(method=method)) == [
        f"method.supervised.hyperparameters.n_epoch: did you mean n_epochs? {NEAR}"
    ]


def test_unknown_fields__of_graders_inside_one_another_without_end() -> None:
    grader: Any = {"type": "python", "code": "x"}
    for _ in range(100_000):
        grader = {"type": "multi", "graders": {"a": grader}}
    assert unknown_fields({"method": {"reinforcement": {"grader": grader}}}) == []


def test_unknown_fields__of_any_model() -> None:
    assert unknown_fields({"type": "multi", "grader": {}}, MultiGrader) == [
        f"grader: did you mean graders? {NEAR}"
    ]
    assert unknown_fields({"role": "user"}, EvalItem) == []


def test_warning__points_at_the_line_that_called() -> None:
    request = FineTuningJobRequest(hyperparameters={"n_epoch": 3, "zzz": 1})
    with pytest.warns(UnknownFieldWarning) as caught:
        warn_unknown_fields(request)
    assert [str(one.message) for one in caught] == [
        f"hyperparameters.n_epoch: did you mean n_epochs? {NEAR}",
        f"hyperparameters.zzz: {NONE}",
    ]
    assert {one.filename for one in caught} == {__file__}


def test_warning__passes_over_frames_of_the_package() -> None:
    source = "def call(function, request):\n    return function(request)\n"
    space: dict[str, Any] = {"__name__": "finetune_client.resources.jobs.jobs"}
    exec(compile(source, "<of the package>", "exec"), space)
    with pytest.warns(UnknownFieldWarning) as caught:
        space["call"](warn_unknown_fields, FineTuningJobRequest(hyperparameters={"zzz": 1}))
    assert caught[0].filename == __file__


def test_warning__none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unknown_fields(FineTuningJobRequest(model="m"))


OWN = [
    ("nebius", {"from_checkpoint": "ftckpt-1"}),
    ("azure", {"trainingType": "GlobalStandard", "inference_configs": {"inference_sku": 0}}),
    ("azure-classic", {"trainingType": "GlobalStandard"}),
    ("azure", {"hyperparameters": {"prompt_loss_weight": 0.1}}),
    ("nebius", {"hyperparameters": {"learning_rate": 1e-5, "lora": True, "lora_r": 16}}),
    (
        "nebius",
        {
            "method": {
                "type": "supervised",
                "supervised": {"hyperparameters": {"learning_rate": 1e-5, "packing": True}},
            }
        },
    ),
    ("azure", {"method": {"type": "dpo", "dpo": {"hyperparameters": {"prompt_loss_weight": 1}}}}),
    ("litellm", {"custom_llm_provider": "openai"}),
]


@pytest.mark.parametrize(("provider", "sent"), OWN)
def test_unknown_fields__a_providers_own_keys_are_known_for_it_alone(
    provider: str, sent: dict[str, Any]
) -> None:
    assert unknown_fields(sent, provider=provider) == []
    assert unknown_fields(sent) != []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unknown_fields(sent, provider=provider)


@pytest.mark.parametrize("key", ["learning_rate", "learning_rates", "learnin_rate", "learningrate"])
def test_unknown_fields__an_absolute_rate_is_never_taken_for_a_multiplier(key: str) -> None:
    request = FineTuningJobRequest(hyperparameters={key: 1e-5})
    found = unknown_fields(request, provider="nebius")
    near = f"hyperparameters.{key}: did you mean learning_rate? {NEAR}"
    assert found == ([] if key == "learning_rate" else [near])
    kept = FineTuningJobRequest(hyperparameters=Hyperparameters(extra={key: 1e-5}))
    assert unknown_fields(kept, provider="nebius") == found


def test_unknown_fields__of_a_provider_that_nobody_knows() -> None:
    with pytest.raises(ConfigurationError):
        unknown_fields({}, provider="mars")
