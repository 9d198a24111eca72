"""What the body of a create must be; everything else is a clear 400 that names the parameter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.local_api import LocalApi, chat_lines, jsonl

JOBS = "/fine_tuning/jobs"
CHECK = {
    "type": "string_check",
    "name": "check",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "like",
}


def supervised(**settings: Any) -> dict[str, Any]:
    return {"method": {"type": "supervised", "supervised": {"hyperparameters": settings}}}


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"model": None}, "missing_required_parameter", "Missing required parameter: 'model'."),
        (
            {"model": 3},
            "invalid_value",
            "Invalid value for 'model': expected a string that is not empty, but got 3.",
        ),
        (
            {"training_file": None},
            "missing_required_parameter",
            "Missing required parameter: 'training_file'.",
        ),
        (
            {"suffix": "x" * 65},
            "invalid_value",
            (
                "Invalid value for 'suffix': expected a string of 1 to 64 characters, but got "
                f'"{"x" * 65}".'
            ),
        ),
        (
            {"suffix": ""},
            "invalid_value",
            "Invalid value for 'suffix': expected a string of 1 to 64 characters, but got \"\".",
        ),
        (
            {"seed": -1},
            "invalid_value",
            "Invalid value for 'seed': expected a whole number from 0 to 2147483647, but got -1.",
        ),
        (
            {"seed": True},
            "invalid_value",
            "Invalid value for 'seed': expected a whole number from 0 to 2147483647, but got true.",
        ),
        (
            {"method": None},
            "invalid_type",
            "Invalid value for 'method': expected an object.",
        ),
        (
            {"method": {"type": "sft"}},
            "invalid_value",
            (
                "Invalid value for 'method.type': expected one of supervised, dpo, reinforcement, "
                'but got "sft".'
            ),
        ),
        (
            supervised(n_epochs=0),
            "invalid_value",
            (
                "Invalid value for 'method.supervised.hyperparameters.n_epochs': expected a whole "
                "number from 1 to 50, but got 0."
            ),
        ),
        (
            supervised(n_epochs=2.5),
            "invalid_value",
            (
                "Invalid value for 'method.supervised.hyperparameters.n_epochs': expected a whole "
                "number from 1 to 50, but got 2.5."
            ),
        ),
        (
            supervised(learning_rate_multiplier=0),
            "invalid_value",
            (
                "Invalid value for 'method.supervised.hyperparameters.learning_rate_multiplier': "
                "expected a number above 0, but got 0."
            ),
        ),
        (
            supervised(beta=0.1),
            "unknown_parameter",
            "Unknown parameter: 'method.supervised.hyperparameters.beta'.",
        ),
        (
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}}},
            "invalid_value",
            (
                "Invalid value for 'method.dpo.hyperparameters.beta': expected a number above 0 and "
                "at most 2, but got 3."
            ),
        ),
        (
            {"hyperparameters": {"batch_size": 257}},
            "invalid_value",
            (
                "Invalid value for 'hyperparameters.batch_size': expected a whole number from 1 to "
                "256, but got 257."
            ),
        ),
        (
            {"hyperparameters": []},
            "invalid_type",
            "Invalid value for 'hyperparameters': expected an object.",
        ),
        (
            {"metadata": {"a": 1}},
            "invalid_value",
            (
                "Invalid 'metadata': the key 'a' must have at most 64 characters, and its value must "
                "be a string of at most 512."
            ),
        ),
        (
            {"metadata": {str(number): "" for number in range(17)}},
            "invalid_value",
            "Invalid 'metadata': at most 16 pairs, but got 17.",
        ),
        (
            {"integrations": [{"type": "wandb", "wandb": {}}]},
            "missing_required_parameter",
            "Missing required parameter: 'integrations[0].wandb.project'.",
        ),
        (
            {"integrations": "wandb"},
            "invalid_type",
            "Invalid value for 'integrations': expected a list of at most 5.",
        ),
        (
            {"method": {"type": "reinforcement", "reinforcement": {"grader": CHECK}}},
            "missing_required_parameter",
            "Missing required parameter: 'validation_file'. A reinforcement job needs one.",
        ),
        (
            {
                "method": {
                    "type": "reinforcement",
                    "reinforcement": {"grader": {"type": "python", "source": "x"}},
                }
            },
            "unsupported_grader",
            (
                "A grader of type 'python' is not run by this server: its code would have the rights "
                "of whoever runs the server. To allow it, start the server with "
                "allow_python_graders=True, on the command line with --allow-python-graders (of "
                "finetune serve, if it is that which answers). Otherwise use string_check, "
                "text_similarity or a multi grader of them."
            ),
        ),
        (
            {
                "method": {
                    "type": "reinforcement",
                    "reinforcement": {
                        "grader": CHECK,
                        "hyperparameters": {"reasoning_effort": "auto"},
                    },
                }
            },
            "invalid_value",
            (
                "Invalid value for 'method.reinforcement.hyperparameters.reasoning_effort': expected "
                'one of default, low, medium, high, but got "auto".'
            ),
        ),
        (
            {"model": "ft:tiny:local::gone"},
            "model_not_found",
            "The model 'ft:tiny:local::gone' does not exist",
        ),
    ],
)
def test_create__refuses(api: LocalApi, changes: dict[str, Any], code: str, message: str) -> None:
    train = api.upload(jsonl(chat_lines(10)))
    body = {"model": "tiny", "training_file": train, **changes}
    status, error = api.refused("POST", JOBS, json=body)
    assert (status, error["code"], error["message"]) == (400, code, message)
    assert api.ok("GET", JOBS)["data"] == []


def test_create__refuses_files_that_are_not_there_or_for_something_else(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(10)))
    batch = api.upload(jsonl(chat_lines(10)), purpose="batch")
    for changes, param, status in [
        ({"training_file": "file-x"}, "training_file", 404),
        ({"validation_file": "../../x"}, "validation_file", 404),
        ({"training_file": batch}, "training_file", 400),
    ]:
        body = {"model": "tiny", "training_file": train, **changes}
        found, error = api.refused("POST", JOBS, json=body)
        assert (found, error["param"]) == (status, param)
    assert api.refused("POST", JOBS, json={"model": "m", "training_file": "file-x"})[1][
        "message"
    ] == ("No such File object: file-x")


def test_create__takes_every_field(api: LocalApi) -> None:
    integration = {"type": "wandb", "wandb": {"project": "p", "name": None, "tags": ["a"]}}
    job = api.create(
        training_file=api.upload(jsonl(chat_lines(10))),
        validation_file=None,
        suffix=None,
        seed=None,
        integrations=[integration],
        metadata={"a": "b"},
        hyperparameters={"n_epochs": 9},
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 2.0, "batch_size": "auto"}},
            "dpo": {"hyperparameters": {"beta": "auto"}},
        },
        trainingType="globalstandard",
    )
    assert job["integrations"] == [integration]
    assert job["metadata"] == {"a": "b"}
    assert isinstance(job["seed"], int)
    done = api.ended(job["id"])
    assert done["hyperparameters"]["n_epochs"] == 2
    assert done["method"]["supervised"]["hyperparameters"] == done["hyperparameters"]
