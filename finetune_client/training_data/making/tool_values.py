"""Tools and calls as data sets write them (JSON text, bare functions), as the API writes them."""

from __future__ import annotations

import json
import re
from typing import Any

from finetune_client.errors import TrainingDataError
from finetune_client.models.examples.tools import Tool
from finetune_client.training_data.making.values import json_text, parsed, shown

__all__ = ["read_answers", "read_calls", "read_tagged_calls", "read_tools", "split_thought"]

# What Hermes models write and read: one tag around each call, and around each answer.
# https://github.com/NousResearch/Hermes-Function-Calling
_TAGGED_CALL = re.compile(r"\s*<tool_call>(.*?)</tool_call>\s*", re.DOTALL)
_TAGGED_ANSWER = re.compile(r"\s*<tool_response>\s*(.*?)\s*</tool_response>\s*", re.DOTALL)

_THOUGHT = re.compile(r"\s*(<think>.*?</think>)\s*(.*)", re.DOTALL)


def read_tools(value: Any) -> list[Tool] | None:
    """Return the tools of a row: a list, one tool, or the JSON text of them; None if there are none.

    A bare function (``name``, ``description``, ``parameters``) becomes a tool.

    Raises:
        TrainingDataError: It is something else.
    """
    try:
        given = parsed(value.strip() or "null") if isinstance(value, str) else value
        if not given:
            return None
        tools = [_tool(item) for item in (given if isinstance(given, list) else [given])]
    except (TypeError, ValueError):
        raise TrainingDataError(
            f"'tools' must be a list of tools or the JSON text of one, not {shown(value)}."
        ) from None
    return [Tool.from_dict(tool) for tool in tools]


def _tool(item: Any) -> dict[str, Any]:
    tool = dict(_object(item))
    if "function" not in tool and isinstance(tool.get("name"), str):
        kind = tool.pop("type", "function")
        tool = {"type": kind, "function": tool}
    function = tool.get("function")
    if function is not None:
        tool = {"type": "function", **tool}
    if "type" not in tool:
        raise ValueError("not a tool")
    if isinstance(function, dict) and isinstance(function.get("parameters"), str):
        tool["function"] = {**function, "parameters": _object(function["parameters"])}
    return tool


def read_calls(value: Any) -> list[dict[str, Any]]:
    """Return the calls of a turn: one or a list, or the JSON text of them.

    Each has a ``name`` and ``arguments`` (or ``parameters``), or is a call as the API writes it.
    An ``id`` stays; none is made.

    Raises:
        TrainingDataError: It is something else.
    """
    try:
        given = parsed(value) if isinstance(value, str) else value
        calls = [_call(item) for item in (given if isinstance(given, list) else [given])]
    except (TypeError, ValueError):
        calls = []
    if not calls:
        raise TrainingDataError(
            f"A call must be the JSON of a name and its arguments, not {shown(value)}."
        )
    return calls


def _call(item: Any) -> dict[str, Any]:
    given = dict(_object(item))
    if given.get("type", "function") not in ("function", None):
        return given  # such as a custom tool's
    if isinstance(given.get("function"), dict):
        function = dict(given.pop("function"))
    else:
        function = {key: given.pop(key) for key in ("name", "arguments") if key in given}
        if "arguments" not in function:
            function["arguments"] = given.pop("parameters", None)
    if not function.get("name") or not isinstance(function["name"], str):
        raise ValueError("no name")
    function["arguments"] = _arguments(function.get("arguments"))
    first = {"id": given.pop("id")} if given.get("id") is not None else {}
    given.pop("type", None)
    return {**first, "type": "function", "function": function, **given}


def _arguments(given: Any) -> str:
    """Return the text of arguments; a text that is JSON already stays as it is."""
    if given is None or given == "":
        return "{}"
    if not isinstance(given, str):
        return json_text(given)
    try:
        json.loads(given)
    except (ValueError, RecursionError):
        try:
            return json_text(_object(given))  # as Python prints it
        except (TypeError, ValueError):
            return given  # what `check` finds then
    return given


def split_thought(value: Any) -> tuple[str | None, Any]:
    """Return what a model thought before a call, in ``<think>``, and the call."""
    found = _THOUGHT.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else (None, value)


def read_tagged_calls(text: str) -> tuple[str | None, list[dict[str, Any]]]:
    """Return the text around ``<tool_call>`` and what is called in it.

    A text in which one of the tags does not hold a call comes back whole.
    """
    try:
        calls = [call for tagged in _TAGGED_CALL.findall(text) for call in read_calls(tagged)]
    except TrainingDataError:
        return text, []
    return (_TAGGED_CALL.sub("", text) or None, calls) if calls else (text, [])


def read_answers(content: Any, number: int) -> list[Any]:
    """Return the answers to so many calls that stand in one turn.

    They stand in tags (``<tool_response>``) or, where there are several, in a list or the JSON
    text of one; what is neither is one answer.
    """
    if isinstance(content, str):
        tagged = _TAGGED_ANSWER.findall(content)
        if tagged and not _TAGGED_ANSWER.sub("", content):
            return tagged if len(tagged) == number else [content]
    if number > 1:
        try:
            items = json.loads(content) if isinstance(content, str) else content
        except (ValueError, RecursionError):
            return [content]
        if isinstance(items, list) and len(items) == number:
            return [item if isinstance(item, str) else json_text(item) for item in items]
    return [content]


def _object(value: Any) -> dict[str, Any]:
    given = parsed(value) if isinstance(value, str) else value
    if not isinstance(given, dict):
        raise TypeError("not an object")
    return given
