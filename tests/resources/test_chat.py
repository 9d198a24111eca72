"""Chat completions: what is sent where, what is read, and what is not sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    NotFoundError,
    RequestError,
)
from finetune_client.models import ChatCompletion, ChatMessage, FunctionDefinition, Tool
from tests.support.openapi import check_request
from tests.support.sent import sent_json

if TYPE_CHECKING:
    import responses

    from tests.support.fake_time import FakeTime

URL = "https://api.openai.com/v1/chat/completions"
QUESTION = [{"role": "user", "content": "Who?"}]
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "ft:gpt-4o-mini:org::1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Me.", "annotations": []},
            "finish_reason": "stop",
            "content_filter_results": {"hate": {"filtered": False}},
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 0},
    },
    "prompt_filter_results": [],
}


def test_create__reads_the_answer_and_loses_nothing(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(URL, json=ANSWER)
    completion = client.chat.completions.create(model="m", messages=QUESTION)
    assert completion == ChatCompletion.from_dict(ANSWER)
    assert completion.to_dict() == ANSWER
    assert completion.choices is not None
    assert completion.choices[0].message == ChatMessage(
        role="assistant", content="Me.", extra={"annotations": []}
    )
    assert completion.usage is not None
    assert completion.usage.total_tokens == 11


def test_create__sends_every_argument_under_its_own_name(
    client: Client, server: responses.RequestsMock
) -> None:
    tool = Tool(function=FunctionDefinition(name="look", parameters={"type": "object"}))
    arguments: dict[str, Any] = {
        "max_tokens": 5,
        "max_completion_tokens": 6,
        "temperature": 0,
        "top_p": 0.5,
        "seed": 7,
        "n": 2,
        "stop": ["a", "b"],
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "frequency_penalty": -1,
        "presence_penalty": 1,
        "logit_bias": {"1": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "stream": False,
        "audio": {"voice": "alloy", "format": "wav"},
        "function_call": "none",
        "functions": [{"name": "look"}],
        "metadata": {"a": "b"},
        "modalities": ["text"],
        "moderation": {"model": "omni-moderation-latest"},
        "prediction": {"type": "content", "content": "x"},
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "safety_identifier": "s",
        "service_tier": "flex",
        "store": True,
        "user": "u",
        "verbosity": "low",
        "web_search_options": {},
    }
    server.post(URL, json=ANSWER)
    messages = (ChatMessage(role=role, content=role) for role in ("system", "user"))
    client.chat.completions.create(model="m", messages=messages, **arguments)
    sent = sent_json(server.calls[0].request)
    assert sent == {
        **arguments,
        "model": "m",
        "messages": [
            {"role": "system", "content": "system"},
            {"role": "user", "content": "user"},
        ],
        "tools": [tool.to_dict()],
    }
    check_request("createChatCompletion", "POST", URL, sent)


def test_create__sends_nothing_that_was_not_given(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(URL, json=ANSWER)
    client.chat.completions.create(model="m", messages=QUESTION)
    assert sent_json(server.calls[0].request) == {"model": "m", "messages": QUESTION}


def test_create__does_not_stream(client: Client) -> None:
    with pytest.raises(RequestError) as caught:
        client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    assert caught.value.message == (
        "chat.completions.create returns the whole answer and does not stream: leave stream= out, "
        "or use the official SDK, openai.OpenAI(base_url=..., api_key=...), for a stream. Nothing "
        "was sent."
    )


def test_create__sends_what_is_in_the_extra_body(
    client: Client, server: responses.RequestsMock
) -> None:
    server.post(URL, json=ANSWER)
    client.chat.completions.create(
        model="m", messages=QUESTION, extra_body={"stream": True, "top_k": 4}
    )
    assert sent_json(server.calls[0].request) == {
        "model": "m",
        "messages": QUESTION,
        "stream": True,
        "top_k": 4,
    }


@pytest.mark.parametrize(
    ("model", "messages", "problems"),
    [
        (None, None, ["model: is missing", "messages: is missing"]),
        (
            "",
            [],
            [
                "model: must not be empty",
                "messages: must be an array of messages, at least one, got none",
            ],
        ),
        (
            "m",
            "Who?",
            ["messages: must be an array of messages, at least one, got str"],
        ),
        (
            "m",
            {"role": "user"},
            ["messages: must be an array of messages, at least one, got dict"],
        ),
        (
            "m",
            ChatMessage(role="user", content="Who?"),
            ["messages: must be an array of messages, at least one, got dict"],
        ),
        (
            "m",
            [{"role": "user", "content": float("nan")}, "x"],
            [
                "messages[1]: must be a message, got str",
                "messages[0].content: must be a finite number, got nan",
            ],
        ),
    ],
)
def test_create__says_all_that_is_wrong_and_sends_nothing(
    client: Client, model: Any, messages: Any, problems: list[str]
) -> None:
    with pytest.raises(RequestError) as caught:
        client.chat.completions.create(model=model, messages=messages)
    assert caught.value.problems == problems
    assert caught.value.message == f"Cannot ask the model: {'; '.join(problems)}."


@pytest.mark.parametrize("answer", [{"error": {"message": "no"}}, {"choices": "x"}])
def test_create__takes_nothing_else_for_an_answer(
    client: Client, server: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    server.post(URL, json=answer)
    with pytest.raises(APIResponseError) as caught:
        client.chat.completions.create(model="m", messages=QUESTION)
    assert caught.value.message == (
        "The answer to POST /chat/completions cannot be read: Cannot read a ChatCompletion: "
        '"choices" must be an array.'
    )
    assert caught.value.body == answer


def test_create__is_sent_again_where_it_was_refused(
    client: Client, server: responses.RequestsMock, time: FakeTime
) -> None:
    patient = client.with_options(max_retries=1)
    server.post(URL, status=429, headers={"Retry-After": "7"})
    server.post(URL, json=ANSWER)
    assert patient.chat.completions.create(model="m", messages=QUESTION).id == "chatcmpl-1"
    assert time.sleeps == [7.0]


def test_create__is_not_paid_for_twice(client: Client, server: responses.RequestsMock) -> None:
    server.post(URL, body=ConnectionResetError(104, "reset"))
    with pytest.raises(APIConnectionError) as caught:
        client.with_options(max_retries=3).chat.completions.create(model="m", messages=QUESTION)
    assert (caught.value.outcome, caught.value.attempts) == ("ambiguous", 1)


@pytest.mark.parametrize(
    ("of_client", "of_call", "used"),
    [
        ((10, 60), None, (10, 600)),
        ((10, 61), None, (10, 61)),
        ((10, 3), None, (10, 3)),
        ((10, 60), 5, (5, 5)),
    ],
)
def test_create__waits_for_long_answers_unless_told_otherwise(
    server: responses.RequestsMock, of_client: Any, of_call: Any, used: tuple[Any, Any]
) -> None:
    server.post(URL, json=ANSWER)
    with Client("sk-test", timeout=of_client) as client:
        client.chat.completions.create(model="m", messages=QUESTION, timeout=of_call)
    request: Any = server.calls[0].request
    waited = request.req_kwargs["timeout"]
    assert (waited.connect_timeout, waited.read_timeout) == used


def test_create__names_the_deployment_in_the_path_of_azures_classic_api(
    server: responses.RequestsMock,
) -> None:
    server.post(
        "https://r.openai.azure.com/openai/deployments/my%20bot/chat/completions"
        "?api-version=2024-10-21",
        json=ANSWER,
    )
    with Client.azure(
        "https://r.openai.azure.com", api_key="k", api_version="2024-10-21"
    ) as client:
        client.chat.completions.create(model="my bot", messages=QUESTION)
    assert sent_json(server.calls[0].request) == {"model": "my bot", "messages": QUESTION}


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (None, "/openai/v1/chat/completions"),
        ("2024-10-21", "/openai/deployments/m/chat/completions"),
    ],
)
def test_create__says_that_azure_needs_a_deployment(
    server: responses.RequestsMock, version: str | None, path: str
) -> None:
    said = "The API deployment for this resource does not exist."
    server.post(
        f"https://r.openai.azure.com{path}",
        status=404,
        json={"error": {"code": "DeploymentNotFound", "message": said}},
    )
    with (
        Client.azure("https://r.openai.azure.com", api_key="k", api_version=version) as client,
        pytest.raises(NotFoundError) as caught,
    ):
        client.chat.completions.create(model="m", messages=QUESTION)
    shown = path.removeprefix("/openai/v1").removeprefix("/openai")
    assert caught.value.message == (
        f"{said} (HTTP 404, POST {shown}) On Azure model= is the name of a deployment; a tuned "
        "model must be deployed first."
    )


def test_chat__is_one_object_under_the_official_path(client: Client) -> None:
    assert client.chat is client.chat
    assert client.chat.completions is client.chat.completions
    assert repr(client.chat.completions) == "<ChatCompletions of openai>"
