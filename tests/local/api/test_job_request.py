"""What a create, a body and a header must be; everything else is a clear error of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Callable

    from finetune_client.local import LocalServer

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
                "A grader of type 'python' is not run by the local server: it would need a model or "
                "would run a request's code. Use string_check, text_similarity or a multi grader of "
                "them."
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


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b'{"model": NaN}', 400),
        (b'{"seed": ' + b"1" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 101 + b"1" + b"}" * 101, 400),
        (b"\xff\xfe{}", 400),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_body__that_is_no_json_object(api: LocalApi, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    assert api.refused("POST", JOBS, data=body, headers=headers)[0] == status


def test_body__must_say_that_it_is_json(api: LocalApi) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        status, error = api.refused("POST", JOBS, data=b"{}", headers={"Content-Type": kind})
        assert status == 415
        assert (
            error["message"] == "The body must be JSON, sent with Content-Type: application/json."
        )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/nothing"),
        ("PUT", "/files"),
        ("OPTIONS", "/files"),
        ("DELETE", JOBS),
        ("GET", "//files"),
        ("GET", "/files/a/b/content"),
        ("GET", "/files/..%2f..%2fetc%2fpasswd/content"),
    ],
)
def test_url__that_is_none(api: LocalApi, method: str, path: str) -> None:
    status, error = api.refused(method, path)
    assert status in {404, 405}
    assert error["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "finetune.localhost.evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "127.0.0.1,evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[oops"}, 403),
    ],
)
def test_guard__refuses_what_a_web_page_could_send(
    api: LocalApi, headers: dict[str, str], status: int
) -> None:
    assert api.refused("GET", "/models", headers=headers)[0] == status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "[::1]:80", "a.localhost", "127.1.2.3"]
)
def test_guard__takes_this_machine(api: LocalApi, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert api.ok("GET", "/models", headers=headers)["object"] == "list"


def test_dpo__trains(api: LocalApi) -> None:
    lines = [
        {
            "input": {"messages": [{"role": "user", "content": f"Is {number} even?"}]},
            "preferred_output": [{"role": "assistant", "content": f"yes, {number}"}],
            "non_preferred_output": [{"role": "assistant", "content": f"no way {number}"}],
        }
        for number in range(12)
    ]
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3}}}
    job = api.trained(training_file=api.upload(jsonl(lines)), method=method)
    assert job["method"]["dpo"]["hyperparameters"]["beta"] == 0.1
    told = api.metrics(job["id"])
    assert told[-1]["train_loss"] < told[0]["train_loss"] == pytest.approx(0.6931, abs=1e-4)


def test_reinforcement__trains_with_graders_that_are_run(api: LocalApi) -> None:
    words = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": word}]}
        for n, word in enumerate(["yes", "no"] * 6)
    ]
    settings = {"n_epochs": 50, "batch_size": 12, "learning_rate_multiplier": 4.0}
    first = api.trained(training_file=api.upload(jsonl(words)), hyperparameters=settings)
    lines = [
        {"messages": [{"role": "user", "content": f"{n}?"}], "answer": "yes"} for n in range(12)
    ]
    method = {
        "type": "reinforcement",
        "reinforcement": {
            "grader": CHECK,
            "hyperparameters": {"n_epochs": 20, "batch_size": 12, "compute_multiplier": 2},
        },
    }
    job = api.trained(
        model=first["fine_tuned_model"],
        training_file=api.upload(jsonl(lines)),
        validation_file=api.upload(jsonl(lines)),
        method=method,
    )
    told = api.metrics(job["id"])
    assert told[-1]["train_mean_reward"] > told[0]["train_mean_reward"]
    assert 0 <= told[-1]["full_valid_mean_reward"] <= 1
    assert job["method"]["reinforcement"]["grader"] == CHECK
    text = api.session.get(f"{api.base}/files/{job['result_files'][0]}/content").text
    assert text.splitlines()[0] == "step,train_mean_reward,full_valid_mean_reward"


def test_permissions__created_listed_and_deleted(api: LocalApi) -> None:
    job = api.trained(training_file=api.upload(jsonl(chat_lines(10))))
    checkpoint = f"{job['fine_tuned_model']}:ckpt-step-100"
    path = f"/fine_tuning/checkpoints/{checkpoint}/permissions"
    made = api.ok("POST", path, json={"project_ids": ["proj_a", "proj_b", "proj_a"]})
    assert [row["project_id"] for row in made["data"]] == ["proj_a", "proj_b"]
    again = api.ok("POST", path, json={"project_ids": ["proj_c", "proj_a"]})
    ids = {row["project_id"]: row["id"] for row in made["data"] + again["data"]}
    assert again["data"][1] == made["data"][0]

    def listed(**query: Any) -> list[str]:
        return [row["project_id"] for row in api.ok("GET", path, params=query)["data"]]

    assert listed() == ["proj_c", "proj_b", "proj_a"]
    assert listed(order="ascending", limit=2) == ["proj_a", "proj_b"]
    assert listed(order="ascending", after=ids["proj_b"]) == ["proj_c"]
    assert listed(project_id="proj_b") == ["proj_b"]
    assert api.refused("GET", path, params={"order": "asc"})[1]["param"] == "order"
    gone = api.ok("DELETE", f"{path}/{ids['proj_b']}")
    assert gone == {"id": ids["proj_b"], "object": "checkpoint.permission", "deleted": True}
    assert api.refused("DELETE", f"{path}/{ids['proj_b']}")[0] == 404
    assert listed() == ["proj_c", "proj_a"]
    assert api.refused("POST", path, json={})[1]["param"] == "project_ids"
    for projects in ([], [""], "proj_a"):
        error = api.refused("POST", path, json={"project_ids": projects})[1]
        assert error["param"] == "project_ids"
    assert api.refused("POST", path, json={"project_ids": ["p"], "x": 1})[1]["param"] == "x"
    nowhere = "/fine_tuning/checkpoints/ft:tiny:local::x/permissions"
    assert api.refused("GET", nowhere)[1]["code"] == "model_not_found"


def test_models__base_models_stay(api: LocalApi) -> None:
    names = [row["id"] for row in api.ok("GET", "/models")["data"]]
    assert names == ["tiny", "babbage-002", "davinci-002", "gpt-3.5-turbo", "gpt-4o-mini"]
    assert api.ok("GET", "/models/tiny")["owned_by"] == "system"
    assert api.refused("DELETE", "/models/tiny")[0] == 403
    assert api.refused("GET", "/models/meta/llama")[1]["message"] == (
        "The model 'meta/llama' does not exist"
    )


def test_models__any_base_name_will_do(api: LocalApi) -> None:
    job = api.trained(model="meta/llama:8b", training_file=api.upload(jsonl(chat_lines(10))))
    name = job["fine_tuned_model"]
    assert name == f"ft:meta/llama:8b:local::{job['id'][-8:]}"
    assert api.session.get(f"{api.base}/models/{name}").json()["id"] == name


def test_failure_within_the_server__is_json_too(
    connect: Callable[[LocalServer], LocalApi],
    local_server: LocalServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> str:
        raise RuntimeError("a bug")

    local_server.app.view_functions["GET /models"] = broken
    api = connect(local_server)
    status, error = api.refused("GET", "/models")
    assert status == 500
    assert error == {
        "message": "The server had an error while processing your request.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert "a bug" in caplog.text
