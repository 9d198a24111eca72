"""Reading the body of ``POST /chat/completions``; every mistake is a 400 that names the parameter.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_client.local.http.errors import (
    RequestRefusedError,
    invalid_value,
    missing_parameter,
)
from finetune_client.local.http.request_fields import (
    not_expected,
    read_boolean,
    read_choice,
    read_integer,
    read_number_from,
    read_text,
)
from finetune_client.local.training.trainer import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ChatRequest", "read_chat_request"]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_PARTS = ("text", "refusal")
_MAX_MESSAGES = 2048
_MAX_TOKENS = 1_000_000
_MAX_ANSWERS = 128
_MAX_STOPS = 4
_MAX_TOOLS = 128
_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
    "top_logprobs": (0,),
}
"""What would change the answer and cannot be done here, and the values that ask for nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatRequest:
    """A request that has been checked.

    Attributes:
        model: The name of the model, as it was sent.
        asked: What the model is asked for.
        is_streamed: Whether the answer is streamed.
        counts_stream: Whether the stream ends with the usage.
    """

    model: str
    asked: GenerateRequest
    is_streamed: bool
    counts_stream: bool


def read_chat_request(body: Mapping[str, Any]) -> ChatRequest:
    """Check the body; parameters that nobody knows, or that only a service needs, are ignored."""
    model = read_text(body, "model", required=True)
    for name, allowed in _WITHOUT_EFFECT.items():
        if body.get(name) is not None and body[name] not in allowed:
            raise RequestRefusedError(
                400,
                f"Unsupported parameter: '{name}' with the value {json.dumps(body[name])[:80]} is "
                "not supported by this server.",
                code="unsupported_parameter",
                param=name,
            )
    tools = [] if body.get("tool_choice") == "none" else _tools(body.get("tools"))
    asked = GenerateRequest(
        messages=_messages(body.get("messages")),
        tools=tools,
        max_tokens=_max_tokens(body),
        temperature=_or_one(read_number_from(body, "temperature", 0, 2)),
        top_p=_or_one(read_number_from(body, "top_p", 0, 1)),
        seed=read_integer(body, "seed", -(2**63), 2**63 - 1),
        n=read_integer(body, "n", 1, _MAX_ANSWERS) or 1,
        stop=_stops(body.get("stop")),
    )
    is_streamed = bool(read_boolean(body, "stream"))
    return ChatRequest(
        model=model,
        asked=asked,
        is_streamed=is_streamed,
        counts_stream=_counts_stream(body.get("stream_options"), is_streamed=is_streamed),
    )


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else float(value)


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    deprecated = read_integer(body, "max_tokens", 1, _MAX_TOKENS)
    limit: int | None = read_integer(body, "max_completion_tokens", 1, _MAX_TOKENS)
    return deprecated if limit is None else limit


def _messages(given: object) -> list[dict[str, Any]]:
    if given is None:
        raise missing_parameter("messages")
    if not isinstance(given, list) or not 1 <= len(given) <= _MAX_MESSAGES:
        raise not_expected("messages", f"an array of 1 to {_MAX_MESSAGES} messages", given)
    for place, message in enumerate(given):
        _check_message(message, f"messages[{place}]")
    return given


def _check_message(message: object, where: str) -> None:
    if not isinstance(message, dict):
        raise not_expected(where, "an object", message)
    role = read_choice(message, "role", _ROLES, where=f"{where}.", required=True)
    content = message.get("content")
    calls = message.get("tool_calls")
    if calls is not None:
        _check_calls(calls, f"{where}.tool_calls")
    if content is None:
        has_more = calls or message.get("function_call") or message.get("refusal")
        if role != "assistant" or not has_more:
            raise missing_parameter(f"{where}.content")
    elif isinstance(content, list):
        for place, part in enumerate(content):
            _check_part(part, f"{where}.content[{place}]")
    elif not isinstance(content, str):
        raise not_expected(f"{where}.content", "a string or an array of parts", content)


def _check_part(part: object, where: str) -> None:
    if not isinstance(part, dict):
        raise not_expected(where, "an object", part)
    kind = read_choice(part, "type", _PARTS, where=f"{where}.", required=True)
    if not isinstance(part.get(kind), str):
        raise not_expected(f"{where}.{kind}", "a string", part.get(kind))


def _check_calls(calls: object, where: str) -> None:
    if not isinstance(calls, list):
        raise not_expected(where, "an array of calls", calls)
    for place, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise not_expected(f"{where}[{place}]", "a call of a function", call)
        for key in ("name", "arguments"):
            if not isinstance(function.get(key), str):
                name = f"{where}[{place}].function.{key}"
                raise not_expected(name, "a string", function.get(key))


def _tools(given: object) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > _MAX_TOOLS:
        raise not_expected("tools", f"an array of at most {_MAX_TOOLS} tools", given)
    for place, tool in enumerate(given):
        where = f"tools[{place}]"
        if not isinstance(tool, dict):
            raise not_expected(where, "an object", tool)
        read_choice(tool, "type", ("function",), where=f"{where}.", required=True)
        if not isinstance(tool.get("function"), dict):
            raise not_expected(f"{where}.function", "an object", tool.get("function"))
        read_text(tool["function"], "name", where=f"{where}.function.", required=True)
    return given


def _stops(given: object) -> list[str]:
    stops: list[Any] = [] if given is None else given if isinstance(given, list) else [given]
    if len(stops) > _MAX_STOPS or not all(isinstance(one, str) and one for one in stops):
        expected = f"a string that is not empty, or an array of at most {_MAX_STOPS} of them"
        raise not_expected("stop", expected, given)
    return stops


def _counts_stream(given: object, *, is_streamed: bool) -> bool:
    if given is None:
        return False
    if not isinstance(given, dict):
        raise not_expected("stream_options", "an object", given)
    if not is_streamed:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise invalid_value(message, "stream_options")
    return bool(read_boolean(given, "include_usage", where="stream_options."))
