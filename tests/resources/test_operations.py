"""Every call as it goes over the wire, held against OpenAI's document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import responses
from responses.matchers import header_matcher, json_params_matcher, query_param_matcher

from finetune_client import AUTO, Client
from finetune_client.errors import AuthenticationError, RequestError
from finetune_client.models import (
    DpoHyperparameters,
    DpoMethod,
    EvalItem,
    FineTuningMethod,
    Hyperparameters,
    LabelModelGrader,
    MultiGrader,
    PythonGrader,
    ReinforcementHyperparameters,
    ReinforcementMethod,
    ScoreModelGrader,
    StringCheckGrader,
    SupervisedMethod,
    TextSimilarityGrader,
    WandbIntegration,
)
from tests.support.openapi import answer, check_body, check_request, operations
from tests.support.sent import sent_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASE = "https://api.openai.com/v1"
MODEL = "ft:gpt-4o-mini-2024-07-18:org::B7R9VjQd:ckpt-step-100"
JOB = {"id": "ftjob-1", "object": "fine_tuning.job", "status": "queued"}
ROWS = {"object": "list", "data": [], "has_more": False}
STRING_CHECK = StringCheckGrader(
    name="same", input="{{sample.output_text}}", reference="{{item.answer}}", operation="eq"
)
SIMILAR = TextSimilarityGrader(
    name="alike", input="{{sample.output_text}}", reference="x", evaluation_metric="bleu"
)
PYTHON = PythonGrader(
    name="code", source="def grade(sample, item):\n    return 1.0\n", image_tag="2025-05-08"
)
SCORE = ScoreModelGrader(
    name="judge",
    model="gpt-4o-mini",
    input=[EvalItem(role="user", content="Is {{sample.output_text}} right?")],
    range=[0, 1],
)
LABEL = LabelModelGrader(
    name="label",
    model="gpt-4o-mini",
    input=[EvalItem(role="developer", content="Label it.")],
    labels=["good", "bad"],
    passing_labels=["good"],
)
MULTI = MultiGrader(
    name="all",
    graders={"a": STRING_CHECK, "b": SIMILAR, "c": PYTHON, "d": SCORE, "e": LABEL},
    calculate_output="a + b + c + d + e",
)
SUPERVISED = SupervisedMethod(
    hyperparameters=Hyperparameters(n_epochs=3, batch_size=AUTO, learning_rate_multiplier=0.5)
)
DPO = DpoMethod(hyperparameters=DpoHyperparameters(beta=0.1, n_epochs=AUTO, batch_size=8))
REINFORCEMENT = ReinforcementMethod(
    grader=MULTI,
    hyperparameters=ReinforcementHyperparameters(
        reasoning_effort="low", compute_multiplier=1.5, eval_interval=2, eval_samples=3
    ),
)


@dataclass(frozen=True)
class Call:
    """A call with all its arguments, and what it must send."""

    operation: str
    run: Callable[..., Any]
    path: str
    answer: Mapping[str, Any]
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    paid: bool = False


def _retrieve_permissions(client: Client, **options: Any) -> Any:
    with pytest.deprecated_call():
        return client.checkpoints.permissions.retrieve(MODEL, order="descending", **options).data


JOB_BODY = {
    "model": "gpt-4o-mini",
    "training_file": "file-1",
    "validation_file": "file-2",
    "suffix": "mine",
    "seed": 7,
    "integrations": [{"type": "wandb", "wandb": {"project": "p", "name": "n", "tags": ["t"]}}],
    "metadata": {"who": "me", "idempotency_key": "key-1"},
}


def _create(method: Any, sent: Mapping[str, Any], **more: Any) -> Call:
    def run(client: Client, **options: Any) -> Any:
        return client.jobs.create(
            model="gpt-4o-mini",
            training_file="file-1",
            validation_file="file-2",
            suffix="mine",
            seed=7,
            integrations=[WandbIntegration(project="p", name="n", tags=["t"])],
            metadata={"who": "me"},
            idempotency_key="key-1",
            method=method,
            **more,
            **options,
        )

    plain = {key: value.to_dict() for key, value in more.items()}
    body = {**JOB_BODY, "method": sent, **plain}
    return Call("createFineTuningJob", run, "/fine_tuning/jobs", JOB, body=body, paid=True)


JOBS = "/fine_tuning/jobs/ftjob-1"
PERMISSIONS = f"/fine_tuning/checkpoints/{MODEL}/permissions"
GONE = {"id": "x", "object": "x", "deleted": True}
RUN = {"reward": 0.5, "metadata": {"name": "same"}}
CALLS = {
    "create supervised": _create(
        SUPERVISED,
        {
            "type": "supervised",
            "supervised": {
                "hyperparameters": {
                    "n_epochs": 3,
                    "batch_size": "auto",
                    "learning_rate_multiplier": 0.5,
                }
            },
        },
    ),
    "create dpo": _create(
        FineTuningMethod.of(DPO),
        {
            "type": "dpo",
            "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": "auto", "batch_size": 8}},
        },
    ),
    "create dpo from a dict": _create(
        {"type": "dpo", "dpo": {"hyperparameters": {"beta": "auto"}}},
        {"type": "dpo", "dpo": {"hyperparameters": {"beta": "auto"}}},
    ),
    "create reinforcement": _create(
        REINFORCEMENT, {"type": "reinforcement", "reinforcement": REINFORCEMENT.to_dict()}
    ),
    "create the old way": _create(
        SupervisedMethod(),
        {"type": "supervised", "supervised": {}},
        hyperparameters=Hyperparameters(n_epochs=AUTO),
    ),
    "list": Call(
        "listPaginatedFineTuningJobs",
        lambda client, **options: (
            client.jobs.list(
                after="ftjob-0", limit=5, metadata={"a": "b c", "d": ""}, **options
            ).data
        ),
        "/fine_tuning/jobs",
        ROWS,
        query={"after": "ftjob-0", "limit": "5", "metadata[a]": "b c", "metadata[d]": ""},
    ),
    "list without metadata": Call(
        "listPaginatedFineTuningJobs",
        lambda client, **options: client.jobs.list(without_metadata=True, **options).data,
        "/fine_tuning/jobs",
        ROWS,
        query={"metadata": "null"},
    ),
    "retrieve": Call(
        "retrieveFineTuningJob",
        lambda client, **options: client.jobs.retrieve("ftjob-1", **options),
        JOBS,
        JOB,
    ),
    "cancel": Call(
        "cancelFineTuningJob",
        lambda client, **options: client.jobs.cancel("ftjob-1", **options),
        f"{JOBS}/cancel",
        JOB,
    ),
    "pause": Call(
        "pauseFineTuningJob",
        lambda client, **options: client.jobs.pause("ftjob-1", **options),
        f"{JOBS}/pause",
        JOB,
    ),
    "resume": Call(
        "resumeFineTuningJob",
        lambda client, **options: client.jobs.resume("ftjob-1", **options),
        f"{JOBS}/resume",
        JOB,
    ),
    "list events": Call(
        "listFineTuningEvents",
        lambda client, **options: (
            client.jobs.list_events("ftjob-1", after="ev-1", limit=2, **options).data
        ),
        f"{JOBS}/events",
        ROWS,
        query={"after": "ev-1", "limit": "2"},
    ),
    "list checkpoints": Call(
        "listFineTuningJobCheckpoints",
        lambda client, **options: (
            client.jobs.checkpoints.list("ftjob-1", after="c-1", limit=2, **options).data
        ),
        f"{JOBS}/checkpoints",
        ROWS,
        query={"after": "c-1", "limit": "2"},
    ),
    "create permissions": Call(
        "createFineTuningCheckpointPermission",
        lambda client, **options: (
            client.checkpoints.permissions.create(MODEL, project_ids=["p-1", "p-2"], **options).data
        ),
        PERMISSIONS,
        ROWS,
        body={"project_ids": ["p-1", "p-2"]},
        paid=True,
    ),
    "list permissions": Call(
        "listFineTuningCheckpointPermissions",
        lambda client, **options: (
            client.checkpoints.permissions.list(
                MODEL, after="cp-1", limit=3, order="ascending", project_id="p-1", **options
            ).data
        ),
        PERMISSIONS,
        ROWS,
        query={"after": "cp-1", "limit": "3", "order": "ascending", "project_id": "p-1"},
    ),
    "retrieve permissions": Call(
        "listFineTuningCheckpointPermissions",
        _retrieve_permissions,
        PERMISSIONS,
        ROWS,
        query={"order": "descending"},
    ),
    "delete permission": Call(
        "deleteFineTuningCheckpointPermission",
        lambda client, **options: client.checkpoints.permissions.delete(
            "cp-1", fine_tuned_model_checkpoint=MODEL, **options
        ),
        f"{PERMISSIONS}/cp-1",
        GONE | {"id": "cp-1"},
    ),
    **{
        f"run grader {grader.type}": Call(
            "runGrader",
            lambda client, grader=grader, **options: client.graders.run(
                grader=grader, model_sample="yes", item={"answer": "yes"}, **options
            ),
            "/fine_tuning/alpha/graders/run",
            RUN,
            body={"grader": grader.to_dict(), "model_sample": "yes", "item": {"answer": "yes"}},
            paid=True,
        )
        for grader in (STRING_CHECK, SIMILAR, PYTHON, SCORE, MULTI)
    },
    "run a grader without an item": Call(
        "runGrader",
        lambda client, **options: client.graders.run(
            grader=STRING_CHECK.to_dict(), model_sample="yes", **options
        ),
        "/fine_tuning/alpha/graders/run",
        RUN,
        body={"grader": STRING_CHECK.to_dict(), "model_sample": "yes"},
        paid=True,
    ),
    "validate grader": Call(
        "validateGrader",
        lambda client, **options: client.graders.validate(grader=MULTI, **options),
        "/fine_tuning/alpha/graders/validate",
        {"grader": STRING_CHECK.to_dict()},
        body={"grader": MULTI.to_dict()},
    ),
    "validate a dict that holds graders": Call(
        "validateGrader",
        lambda client, **options: client.graders.validate(
            grader={**SCORE.to_dict(), "input": SCORE.input}, **options
        ),
        "/fine_tuning/alpha/graders/validate",
        {"grader": SCORE.to_dict()},
        body={"grader": SCORE.to_dict()},
    ),
    "complete a chat": Call(
        "createChatCompletion",
        lambda client, **options: client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Who?"}], seed=3, **options
        ),
        "/chat/completions",
        {"choices": []},
        body={"model": MODEL, "messages": [{"role": "user", "content": "Who?"}], "seed": 3},
        paid=True,
    ),
    "list models": Call(
        "listModels",
        lambda client, **options: client.models.list(**options).data,
        "/models",
        {"object": "list", "data": []},
    ),
    "retrieve model": Call(
        "retrieveModel",
        lambda client, **options: client.models.retrieve(MODEL, **options),
        f"/models/{MODEL}",
        {"id": MODEL},
    ),
    "delete model": Call(
        "deleteModel",
        lambda client, **options: client.models.delete(MODEL, **options),
        f"/models/{MODEL}",
        GONE | {"id": MODEL},
    ),
}


def _stub(
    server: responses.RequestsMock,
    call: Call,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    if call.operation == "createFineTuningJob":
        key = {"limit": "100", "metadata[idempotency_key]": "key-1", **(query or {})}
        server.get(f"{BASE}{call.path}", json=ROWS, match=[query_param_matcher(key)])
        headers = {"Idempotency-Key": "key-1", **(headers or {})}
    wanted = {"Authorization": "Bearer sk-test", "Accept": "application/json", **(headers or {})}
    matchers: list[Any] = [
        query_param_matcher({**(call.query or {}), **(query or {})}),
        header_matcher(wanted),
    ]
    sent = {**(call.body or {}), **(body or {})}
    if sent:
        matchers.append(json_params_matcher(sent))
    server.add(
        operations()[call.operation]["method"],
        f"{BASE}{call.path}",
        json=call.answer,
        match=matchers,
    )


@pytest.mark.parametrize("name", CALLS)
def test_call__sends_what_the_document_says(
    name: str, client: Client, server: responses.RequestsMock
) -> None:
    call = CALLS[name]
    _stub(server, call)
    call.run(client)
    request = server.calls[-1].request
    assert request.url is not None
    body = None if request.body is None else sent_json(request)
    check_request(call.operation, str(request.method), request.url, body)
    if call.body is None:
        assert request.body is None


def test_calls__are_all_there_are() -> None:
    assert {call.operation for call in CALLS.values()} == set(operations())


@pytest.mark.parametrize("name", CALLS)
def test_call__takes_extra_headers_and_query(
    name: str, client: Client, server: responses.RequestsMock
) -> None:
    call = CALLS[name]
    _stub(server, call, query={"api-version": "9"}, headers={"X-Extra": "1"})
    call.run(
        client, extra_headers={"X-Extra": "1"}, extra_query={"api-version": "9"}, timeout=(1, 5)
    )


@pytest.mark.parametrize("name", [name for name, call in CALLS.items() if call.body])
def test_call__takes_an_extra_body(
    name: str, client: Client, server: responses.RequestsMock
) -> None:
    call = CALLS[name]
    _stub(server, call, body={"trainingType": "globalstandard"})
    call.run(client, extra_body={"trainingType": "globalstandard"})


@pytest.mark.parametrize(
    "name",
    [name for name, call in CALLS.items() if operations()[call.operation]["method"] != "POST"],
)
def test_call__refuses_an_extra_body_where_there_is_none(name: str, client: Client) -> None:
    with pytest.raises(RequestError, match="has no JSON body: extra_body cannot be sent with it"):
        CALLS[name].run(client, extra_body={"a": 1})


@pytest.mark.parametrize("name", CALLS)
def test_call__names_a_keyword_that_it_does_not_take(name: str, client: Client) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'extra_header'"):
        CALLS[name].run(client, extra_header={})


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.jobs.list(),
        lambda client: client.jobs.list_events("ftjob-1"),
        lambda client: client.jobs.checkpoints.list("ftjob-1"),
        lambda client: client.checkpoints.permissions.list(MODEL),
        lambda client: client.files.list(),
        lambda client: client.models.list(),
    ],
    ids=["jobs", "events", "checkpoints", "permissions", "files", "models"],
)
def test_list__says_at_the_call_that_the_key_is_wrong(
    call: Callable[[Client], Any], client: Client, server: responses.RequestsMock
) -> None:
    server.get(re.compile(f"{BASE}/.*"), status=401, json={"error": {"message": "No."}})
    with pytest.raises(AuthenticationError):
        call(client)


@pytest.mark.parametrize("operation", sorted(operations()))
def test_call__reads_any_answer_of_the_document(operation: str) -> None:
    call = next(call for call in CALLS.values() if call.operation == operation)
    with Client("sk-test", provider="compatible", base_url=BASE, max_retries=0) as client:
        for seed in range(30):
            sent = answer(operation, seed)
            check_body({"$ref": f"#/components/schemas/{operations()[operation]['answer']}"}, sent)
            with responses.RequestsMock() as server:
                if operation == "createFineTuningJob":
                    server.get(f"{BASE}{call.path}", json=ROWS)
                server.add(operations()[operation]["method"], f"{BASE}{call.path}", json=sent)
                _check_read(call.run(client), sent)


def _check_read(given_back: Any, body: Any) -> None:
    rows = given_back if isinstance(given_back, list) else [given_back]
    sent = body["data"] if isinstance(given_back, list) else [body]
    assert [_without_nulls(row.to_dict()) for row in rows] == [_without_nulls(one) for one in sent]


def _without_nulls(value: Any) -> Any:
    """Take out what the models leave out: nulls, which mean the same as being absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value
