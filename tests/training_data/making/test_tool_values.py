from __future__ import annotations

import json
from typing import Any

import pytest

from finetune_client.errors import TrainingDataError
from finetune_client.training_data.making.tool_values import read_calls, read_tools

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FUNCTION = {"name": "f", "description": "does", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}


@pytest.mark.parametrize(
    "value",
    [
        [TOOL],
        TOOL,
        json.dumps([TOOL]),
        json.dumps([FUNCTION]),
        json.dumps(FUNCTION),
        str([TOOL]),
        [json.dumps(TOOL)],
        [{"function": FUNCTION}],
        [{"type": "function", **FUNCTION}],
        [{**FUNCTION, "parameters": json.dumps(SCHEMA)}],
    ],
)
def test_read_tools__however_they_are_written(value: Any) -> None:
    tools = read_tools(value)
    assert tools is not None
    assert [tool.to_dict() for tool in tools] == [TOOL]


@pytest.mark.parametrize("value", [None, "", "  ", [], "[]", "null", {}])
def test_read_tools__none(value: Any) -> None:
    assert read_tools(value) is None


@pytest.mark.parametrize("value", ["any tool", 4, [4], ["f"], [{"x": 1}], '{"a"', "f()"])
def test_read_tools__something_else(value: Any) -> None:
    with pytest.raises(TrainingDataError) as caught:
        read_tools(value)
    assert caught.value.message == (
        f"'tools' must be a list of tools or the JSON text of one, not {value!r}."
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"a": "é"}, '{"a": "é"}'),
        ('{"a" :1}', '{"a" :1}'),
        ("{'a': True}", '{"a": true}'),
        ("a=1", "a=1"),
        ("", "{}"),
        (None, "{}"),
    ],
)
def test_read_calls__arguments_become_one_text(arguments: Any, text: str) -> None:
    expected = [{"type": "function", "function": {"name": "f", "arguments": text}}]
    assert read_calls({"name": "f", "arguments": arguments}) == expected
    assert read_calls([{"function": {"name": "f", "arguments": arguments}}]) == expected
    assert read_calls(str({"name": "f", "parameters": arguments})) == expected


def test_read_calls__nothing_else_is_lost() -> None:
    given = {"id": "x", "name": "f", "arguments": {}, "thoughts": "I call."}
    [call] = read_calls([given])
    assert (call["id"], call["thoughts"]) == ("x", "I call.")
    custom = {"id": "y", "type": "custom", "custom": {"name": "g", "input": "h"}}
    assert read_calls(json.dumps(custom)) == [custom]


@pytest.mark.parametrize(
    "value",
    ["", "f", "[]", [], 4, {"arguments": {}}, {"name": ""}, {"name": 4}, "{1, 2}", "[" * 10_000],
)
def test_read_calls__something_else(value: Any) -> None:
    with pytest.raises(TrainingDataError, match=r"^A call must be the JSON of a name"):
        read_calls(value)


def test_read_calls__a_long_value_is_not_shown_whole() -> None:
    with pytest.raises(TrainingDataError) as caught:
        read_calls("x" * 1000)
    assert len(caught.value.message) < 150
