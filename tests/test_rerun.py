"""What becomes of a job on another server; `finetune_client.rerun` sends nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import RequestError
from finetune_client.job_files import JobFile
from finetune_client.models import (
    FineTuningJob,
    FineTuningJobRequest,
    StringCheckGrader,
)
from finetune_client.providers import (
    AZURE,
    AZURE_CLASSIC,
    BEDROCK,
    COMPATIBLE,
    LITELLM,
    LOCAL,
    NEBIUS,
    OPENAI,
    PORTKEY,
    PROVIDERS,
    UNSLOTH,
    Bounds,
    Limits,
    Provider,
)
from finetune_client.rerun import Note, adapt_request, has_images

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SAME = StringCheckGrader(
    name="same", input="{{sample.output_text}}", reference="{{item.answer}}", operation="eq"
)
LAMBDA = {"type": "lambda", "lambda": {"function": "arn:aws:lambda:us-west-2:1:function:grade"}}
METHODS: dict[str, dict[str, Any]] = {
    "supervised": {
        "type": "supervised",
        "supervised": {
            "hyperparameters": {
                "batch_size": 64,
                "learning_rate_multiplier": 1.8,
                "n_epochs": 25,
            }
        },
    },
    "dpo": {
        "type": "dpo",
        "dpo": {
            "hyperparameters": {
                "batch_size": "auto",
                "beta": 0.1,
                "learning_rate_multiplier": "auto",
                "n_epochs": 2,
            }
        },
    },
    "reinforcement": {
        "type": "reinforcement",
        "reinforcement": {
            "grader": SAME.to_dict(),
            "hyperparameters": {
                "compute_multiplier": 8,
                "eval_interval": 30,
                "eval_samples": 5,
                "n_epochs": 1,
                "reasoning_effort": "medium",
            },
            "response_format": {"type": "json_schema", "json_schema": {"name": "a"}},
        },
    },
}


def job(kind: str) -> FineTuningJobRequest:
    """What made a job at OpenAI, as the job tells it."""
    found = FineTuningJob.from_dict(
        {
            "id": "ftjob-1",
            "model": "gpt-4o-mini-2024-07-18",
            "training_file": "file-1",
            "validation_file": "file-2",
            "fine_tuned_model": f"ft:gpt-4o-mini:org:my bot {'x' * 40}:abc",
            "seed": 7,
            "metadata": {"team": "a", "idempotency_key": "k"},
            "integrations": [{"type": "wandb", "wandb": {"project": "p", "run_id": "r"}}],
            "method": METHODS[kind],
        }
    )
    return JobFile.of_job(found, OPENAI).request


def told(notes: list[Note]) -> dict[str, str]:
    return {note.place: note.instead for note in notes}


LR = "hyperparameters.learning_rate_multiplier"
NO_METADATA = {"metadata": "left out; a ledger remembers an idempotency key without it (--ledger)"}
NO_INTEGRATIONS = {"integrations": "left out; the curves are in the job's metrics"}
SENT = "sent as it is; the server decides"
SHORT_SUFFIX = {"suffix": f"'my-bot-{'x' * 33}' is sent"}
AZURE_RFT = {
    "method.reinforcement.hyperparameters.compute_multiplier": "3 is sent",
    "method.reinforcement.hyperparameters.eval_interval": "25 is sent",
}
SUPERVISED: dict[str, Mapping[str, str]] = {
    "azure": SHORT_SUFFIX,
    "azure-classic": {**SHORT_SUFFIX, **NO_METADATA, **NO_INTEGRATIONS},
    "bedrock": {"method": SENT, "suffix": "left out; the server names the model"},
    "nebius": {
        "method.supervised.hyperparameters.batch_size": "32 is sent",
        f"method.supervised.{LR}": "left out; the server uses its own rate",
        "method.supervised.hyperparameters.n_epochs": "20 is sent",
        **NO_METADATA,
    },
    "unsloth": NO_METADATA,
    "litellm": {
        "method": "sent as top-level hyperparameters, which mean a supervised job",
        **NO_METADATA,
    },
    "portkey": {},
    "local": {},
    "compatible": {},
    "openai": {},
}
DPO: dict[str, Mapping[str, str]] = {
    **SUPERVISED,
    "nebius": {"method": SENT, **NO_METADATA},
    "unsloth": {"method": SENT, **NO_METADATA},
}
REINFORCEMENT: dict[str, Mapping[str, str]] = {
    **DPO,
    "azure": {**AZURE_RFT, **SHORT_SUFFIX},
    "azure-classic": {**AZURE_RFT, **SUPERVISED["azure-classic"]},
}
TOLD = {"supervised": SUPERVISED, "dpo": DPO, "reinforcement": REINFORCEMENT}
REFUSED = {
    ("litellm", "dpo"): (
        "method: litellm lacks it (the proxy drops it without a word), so that a dpo job would "
        "become a supervised one"
    ),
    ("litellm", "reinforcement"): (
        "method: litellm lacks it (the proxy drops it without a word), so that a reinforcement job "
        "would become a supervised one"
    ),
    ("bedrock", "reinforcement"): (
        "method.reinforcement.grader: bedrock has graders of the type lambda, not string_check; "
        "give one in its place (--grader)"
    ),
}


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("name", PROVIDERS)
def test_adapt__gives_what_the_target_takes_or_says_why_not(name: str, kind: str) -> None:
    target = PROVIDERS[name]
    if (name, kind) in REFUSED:
        with pytest.raises(RequestError) as caught:
            adapt_request(job(kind), OPENAI, target, model="m")
        assert caught.value.problems == [REFUSED[name, kind]]
        return
    adapted, notes = adapt_request(job(kind), OPENAI, target, model="m")
    assert JobFile(request=adapted).problems(target) == []
    assert adapted.problems(target.limits) == []
    assert told(notes) == TOLD[kind][name]
    assert (adapted.model, adapted.training_file, adapted.seed) == ("m", "file-1", 7)


def test_adapt__tables_name_every_provider() -> None:
    assert [set(table) for table in TOLD.values()] == [set(PROVIDERS)] * 3


@pytest.mark.parametrize("kind", METHODS)
def test_adapt__to_the_same_provider_changes_nothing(kind: str) -> None:
    assert adapt_request(job(kind), OPENAI, OPENAI) == (job(kind), [])


def test_adapt__says_in_a_sentence_what_and_why() -> None:
    _, notes = adapt_request(job("supervised"), OPENAI, NEBIUS, model="m")
    assert [str(note) for note in notes] == [
        (
            f"method.supervised.{LR}: nebius takes the rate itself (learning_rate), and what 1.8 "
            "multiplied is not known; left out; the server uses its own rate."
        ),
        (
            "method.supervised.hyperparameters.batch_size: on nebius it must be >= 1 and <= 32, got 64; "
            "32 is sent."
        ),
        (
            "method.supervised.hyperparameters.n_epochs: on nebius it must be >= 1 and <= 20, got 25; "
            "20 is sent."
        ),
        (
            "metadata: nebius lacks it (its jobs keep no metadata); left out; a ledger remembers an "
            "idempotency key without it (--ledger)."
        ),
    ]


def test_adapt__leaves_the_request_as_it_was() -> None:
    request = job("supervised")
    adapt_request(request, OPENAI, LITELLM, model="m")
    assert request == job("supervised")


def test_adapt__to_a_server_without_methods_sends_the_settings_alone() -> None:
    adapted, _ = adapt_request(job("supervised"), OPENAI, LITELLM, model="m")
    sent = adapted.to_dict()
    assert "method" not in sent
    assert sent["hyperparameters"] == METHODS["supervised"]["supervised"]["hyperparameters"]


@pytest.mark.parametrize("kind", ["dpo", "reinforcement"])
def test_adapt__a_refusal_can_be_overridden(kind: str) -> None:
    target = replace(LITELLM, lacks={})
    adapted, notes = adapt_request(job(kind), OPENAI, target, model="m")
    assert adapted.to_dict()["method"] == METHODS[kind]
    assert told(notes) == {"method": SENT}


@pytest.mark.parametrize("target", [BEDROCK, LOCAL, OPENAI])
def test_adapt__takes_another_grader(target: Provider) -> None:
    adapted, _ = adapt_request(job("reinforcement"), OPENAI, target, model="m", grader=LAMBDA)
    settings = adapted.to_dict()["method"]["reinforcement"]
    assert settings["grader"] == LAMBDA
    assert adapted.problems(target.limits) == []
    back, _ = adapt_request(adapted, BEDROCK, AZURE, model="m", grader=SAME)
    assert back.to_dict()["method"]["reinforcement"]["grader"] == SAME.to_dict()


def test_adapt__a_grader_of_another_service_is_refused_elsewhere() -> None:
    request = FineTuningJobRequest(
        model="m", method={"type": "reinforcement", "reinforcement": {"grader": LAMBDA}}
    )
    with pytest.raises(RequestError) as caught:
        adapt_request(request, BEDROCK, LOCAL)
    assert caught.value.message == (
        "The job cannot be rerun on 'local', and nothing was sent:\n"
        "- method.reinforcement.grader: local has graders of the type string_check or "
        "text_similarity or python or multi, not lambda; give one in its place (--grader)"
    )


def test_adapt__looks_into_a_multi_grader() -> None:
    judge = {"type": "score_model", "name": "judge"}
    graders = {"a": SAME.to_dict(), "b": judge, "c": judge}
    grader = {"type": "multi", "graders": graders, "calculate_output": "a"}
    request = FineTuningJobRequest(
        method={"type": "reinforcement", "reinforcement": {"grader": grader}}
    )
    with pytest.raises(RequestError) as caught:
        adapt_request(request, OPENAI, LOCAL)
    assert [one.partition(", not ")[2] for one in caught.value.problems] == [
        "score_model; give one in its place (--grader)"
    ]


def test_adapt__a_single_grader_in_a_multi_grader_is_looked_at() -> None:
    grader = {"type": "multi", "graders": {"type": "score_model"}}
    request = FineTuningJobRequest(
        method={"type": "reinforcement", "reinforcement": {"grader": grader}}
    )
    with pytest.raises(RequestError, match="not score_model"):
        adapt_request(request, OPENAI, LOCAL)


def test_adapt__what_azure_alone_has_is_left_out_elsewhere() -> None:
    request = FineTuningJobRequest(
        model="m",
        hyperparameters={"n_epochs": -1, "batch_size": 2, "prompt_loss_weight": 0.1},
        extra={"trainingType": "Standard", "own": 1},
    )
    adapted, notes = adapt_request(request, AZURE, LOCAL)
    assert adapted.to_dict() == {
        "model": "m",
        "hyperparameters": {"n_epochs": "auto", "batch_size": 2},
        "own": 1,
    }
    assert [str(note) for note in notes] == [
        "trainingType: it is a key of azure alone; left out.",
        (
            "hyperparameters.prompt_loss_weight: it is a setting of azure alone; left out; the server "
            "chooses."
        ),
    ]
    assert adapt_request(request, AZURE, AZURE_CLASSIC) == (request_of(request), [])


def request_of(request: FineTuningJobRequest) -> FineTuningJobRequest:
    return FineTuningJobRequest.from_dict(request.to_dict())


@pytest.mark.parametrize("value", ["auto", -1])
def test_adapt__an_automatic_rate_is_left_to_the_server_without_a_word(value: Any) -> None:
    request = FineTuningJobRequest(hyperparameters={"learning_rate_multiplier": value})
    adapted, notes = adapt_request(request, AZURE, NEBIUS)
    assert (adapted.to_dict(), notes) == ({"hyperparameters": {}}, [])


def test_adapt__a_rate_of_nebius_stays_there() -> None:
    settings = {"learning_rate": 1e-5, "lora": True, "learning_rate_multiplier": 2}
    request = FineTuningJobRequest(hyperparameters=settings)
    assert adapt_request(request, NEBIUS, NEBIUS) == (request_of(request), [])
    adapted, notes = adapt_request(request, NEBIUS, UNSLOTH)
    assert adapted.to_dict() == {"hyperparameters": {"learning_rate_multiplier": 2}}
    assert told(notes) == {
        "hyperparameters.learning_rate": "left out; the server chooses",
        "hyperparameters.lora": "left out; the server chooses",
    }


def test_adapt__settings_in_two_places_become_one_where_both_are_refused() -> None:
    request = FineTuningJobRequest(
        method={"type": "supervised"}, hyperparameters={"n_epochs": 30, "batch_size": 2}
    )
    adapted, notes = adapt_request(request, OPENAI, NEBIUS)
    assert adapted.to_dict() == {
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 20, "batch_size": 2}},
        }
    }
    assert told(notes) == {
        "hyperparameters": "put into method.supervised.hyperparameters",
        "method.supervised.hyperparameters.n_epochs": "20 is sent",
    }


def test_adapt__values_that_do_not_fit_become_the_nearest_or_are_left_out() -> None:
    narrow = replace(
        COMPATIBLE,
        limits=Limits(
            seed=Bounds(least=0, most=5, whole=True, auto=False),
            reasoning_efforts=("low", "high"),
            reinforcement={
                "n_epochs": Bounds(least=2, most=4, whole=True),
                "batch_size": Bounds(least=1, whole=True),
                "eval_samples": Bounds(above=0.5),
                "eval_interval": Bounds(least=3, auto=False),
                "compute_multiplier": Bounds(least=1, most=2),
            },
        ),
    )
    settings = {
        "n_epochs": 1,
        "batch_size": 2.4,
        "eval_samples": 0.1,
        "eval_interval": "auto",
        "compute_multiplier": 1.5,
        "reasoning_effort": "medium",
    }
    request = FineTuningJobRequest(
        seed=9,
        method={
            "type": "reinforcement",
            "reinforcement": {"grader": SAME.to_dict(), "hyperparameters": settings},
        },
    )
    adapted, notes = adapt_request(request, OPENAI, narrow)
    at = "method.reinforcement.hyperparameters"
    assert adapted.to_dict()["method"]["reinforcement"]["hyperparameters"] == {
        "n_epochs": 2,
        "batch_size": 2,
        "compute_multiplier": 1.5,
    }
    assert [str(note) for note in notes] == [
        f"{at}.n_epochs: on compatible it must be >= 2 and <= 4, got 1; 2 is sent.",
        f'{at}.batch_size: on compatible it must be "auto" or a whole number, got 2.4; 2 is sent.',
        f"{at}.eval_samples: on compatible it must be > 0.5, got 0.1; left out; the server chooses.",
        (
            f"{at}.eval_interval: on compatible it must be a number, got 'auto'; left out; the server "
            "chooses."
        ),
        (
            f"{at}.reasoning_effort: compatible takes low, high, not 'medium'; left out; the server "
            "chooses."
        ),
        "seed: it must be >= 0 and <= 5, got 9; left out; the server chooses one.",
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"method": 5, "hyperparameters": 6, "suffix": 7, "seed": 1},
        {"method": {"type": 5}},
        {"method": {"type": "dpo", "dpo": "x"}},
        {"method": {"type": "dpo", "dpo": {"hyperparameters": "x"}}},
        {"method": {"type": "reinforcement", "reinforcement": {"grader": {"type": 5}}}},
    ],
)
def test_adapt__what_is_not_valid_stays_for_the_check_to_name(body: Mapping[str, Any]) -> None:
    adapted, _ = adapt_request(FineTuningJobRequest.from_dict(body), OPENAI, PORTKEY)
    assert adapted.to_dict() == body


@pytest.mark.parametrize(
    ("target", "notes"),
    [
        (OPENAI, []),
        (
            LOCAL,
            [
                Note(
                    place="training_file",
                    reason="local does not learn from images",
                    instead="the text beside them is trained on",
                )
            ],
        ),
    ],
)
def test_adapt__says_what_becomes_of_images(target: Provider, notes: list[Note]) -> None:
    assert adapt_request(FineTuningJobRequest(), COMPATIBLE, target, images=True)[1] == notes
    assert adapt_request(FineTuningJobRequest(), COMPATIBLE, target)[1] == []


def test_has_images__looks_at_every_line(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text('{"messages": []}\n', encoding="utf-8")
    assert not has_images(file)
    file.write_text('{"messages": []}\n{"type": "image_url"}\n', encoding="utf-8")
    assert has_images(file)
