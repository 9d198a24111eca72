"""Turning a line of a training file into what chat templates take.

Chat templates are written for messages whose content is a text and whose tool calls hold objects;
the API also has lists of parts, null contents, arguments as JSON in a string, and older names.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LineError", "to_messages", "to_tools"]

_ROLES = {"developer": "system", "function": "tool"}
"""Roles that few templates know, and the ones that they are rendered as."""

_DROPPED = {"weight", "function_call", "refusal", "audio"}
"""Keys of messages that are no business of a template; their values are used before."""


class LineError(ValueError):
    """A line cannot be trained on; the message is a sentence without the line's number."""


def to_messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return messages as chat templates take them.

    Raises:
        LineError: A message holds something other than text.
    """
    return [_to_message(number, one) for number, one in enumerate(messages, start=1)]


def _to_message(number: int, message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in message.items() if key not in _DROPPED}
    kept["role"] = _ROLES.get(message["role"], message["role"])
    kept["content"] = _text(number, message.get("content") or message.get("refusal") or "")
    calls = message.get("tool_calls") or []
    if message.get("function_call"):
        calls = [{"type": "function", "function": message["function_call"]}]
    kept.pop("tool_calls", None)
    if calls:
        kept["tool_calls"] = [_to_call(call) for call in calls]
    return kept


def _text(number: int, content: Any) -> str:
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content:
        text = part.get("text", part.get("refusal"))
        if not isinstance(text, str):
            raise LineError(
                f"Message {number} has a part of type '{part.get('type')}', but models are trained "
                "on text alone here. Remove the part, or describe it in words."
            )
        texts.append(text)
    return "".join(texts)


def _to_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = dict(call["function"])
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            read = json.loads(arguments)
        except ValueError:
            read = None
        if isinstance(read, dict):
            function["arguments"] = read
    return {**call, "function": function}


def to_tools(line: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the tools of a line or of its ``input``; the older ``functions`` are tools too."""
    tools = line.get("tools")
    if not tools and line.get("functions"):
        tools = [{"type": "function", "function": one} for one in line["functions"]]
    return [dict(tool) for tool in tools] if tools else None
