from __future__ import annotations

from typing import Any

import pytest

from finetune_client.local import GenerateRequest
from finetune_client.local.api.chat_request import read_chat_request
from finetune_client.local.http.errors import RequestRefusedError

HI = [{"role": "user", "content": "Hi"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f"}}


def read(**body: Any) -> Any:
    return read_chat_request({"model": "tiny", "messages": HI, **body})


def test_read__fills_in_what_the_api_says() -> None:
    request = read()
    assert request.asked == GenerateRequest(
        messages=HI, tools=[], max_tokens=None, temperature=1.0, top_p=1.0, seed=None, n=1, stop=[]
    )
    assert (request.model, request.is_streamed, request.counts_stream) == ("tiny", False, False)


def test_read__takes_every_setting() -> None:
    request = read(
        tools=[TOOL],
        max_tokens=5,
        max_completion_tokens=7,
        temperature=0,
        top_p=0.5,
        seed=-3,
        n=2,
        stop="x",
        stream=True,
        stream_options={"include_usage": True},
    )
    assert request.asked == GenerateRequest(
        messages=HI, tools=[TOOL], max_tokens=7, temperature=0, top_p=0.5, seed=-3, n=2, stop=["x"]
    )
    assert (request.is_streamed, request.counts_stream) == (True, True)
    assert read(max_tokens=5).asked.max_tokens == 5
    assert read(stop=["x", "y"]).asked.stop == ["x", "y"]
    assert read(tools=[TOOL], tool_choice="none").asked.tools == []


@pytest.mark.parametrize(
    "body",
    [
        {"response_format": {"type": "text"}, "logprobs": False, "tool_choice": "auto"},
        {"presence_penalty": 0.0, "logit_bias": {}, "modalities": ["text"], "functions": None},
        {"store": True, "metadata": {"a": "b"}, "service_tier": "flex", "user": "u", "odd": 1},
    ],
)
def test_read__what_changes_nothing_is_ignored(body: dict[str, Any]) -> None:
    assert read(**body) == read()


@pytest.mark.parametrize(
    "message",
    [
        {"role": "developer", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "refusal": "No."},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    ],
)
def test_read__messages_of_every_kind(message: dict[str, Any]) -> None:
    assert read(messages=[*HI, message]).asked.messages == [*HI, message]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"model": 3}, "model", "invalid_value"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "Hi"}, "messages", "invalid_value"),
        ({"messages": HI * 2049}, "messages", "invalid_value"),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_value"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "bot"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        (
            {"messages": [{"role": "assistant"}]},
            "messages[0].content",
            "missing_required_parameter",
        ),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "invalid_value"),
        (
            {"messages": [{"role": "user", "content": ["Hi"]}]},
            "messages[0].content[0]",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": {}}]},
            "messages[0].tool_calls",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [3]}]},
            "messages[0].tool_calls[0]",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
            "messages[0].tool_calls[0].function.arguments",
            "invalid_value",
        ),
        ({"tools": TOOL}, "tools", "invalid_value"),
        ({"tools": [TOOL] * 129}, "tools", "invalid_value"),
        ({"tools": ["f"]}, "tools[0]", "invalid_value"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "invalid_value"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "missing_required_parameter",
        ),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_completion_tokens": 1_000_001}, "max_completion_tokens", "invalid_value"),
        ({"temperature": 2.1}, "temperature", "invalid_value"),
        ({"temperature": True}, "temperature", "invalid_value"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"seed": 2**64}, "seed", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"n": 129}, "n", "invalid_value"),
        ({"stop": ""}, "stop", "invalid_value"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value"),
        ({"stop": {}}, "stop", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"stream": True, "stream_options": 1}, "stream_options", "invalid_value"),
        (
            {"stream": True, "stream_options": {"include_usage": 1}},
            "stream_options.include_usage",
            "invalid_value",
        ),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported_parameter"),
    ],
)
def test_read__refuses_what_is_wrong(body: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read(**body)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


def test_read__says_what_it_expected() -> None:
    with pytest.raises(RequestRefusedError) as caught:
        read(temperature=3)
    assert str(caught.value) == (
        "Invalid value for 'temperature': expected a number from 0 to 2, but got 3."
    )
    with pytest.raises(RequestRefusedError) as caught:
        read(logprobs=True)
    assert str(caught.value) == (
        "Unsupported parameter: 'logprobs' with the value true is not supported by this server."
    )
