from __future__ import annotations

import json
from typing import Any

import pytest

from finetune_client.errors import TrainingDataError
from finetune_client.training_data import check
from finetune_client.training_data.making.turns import messages_of
from finetune_client.training_data.making.writing import jsonl_line


def made(
    *turns: Any, ignore: tuple[str, ...] = (), has_tools: bool = False
) -> list[dict[str, Any]]:
    return [message.to_dict() for message in messages_of(turns, ignore, has_tools=has_tools)]


def said(speaker: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"from": speaker, "value": value, **more}


def calling(name: str, **arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def call(number: int, name: str, arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


@pytest.mark.parametrize(
    ("calls", "answers"),
    [
        ("function_call", "observation"),
        ("tool_call", "tool_response"),
        ("function-call", "function-response"),
        ("Tool_Call", "TOOL"),
        ("function_call", "function"),
        ("tool_calls", "tool_result"),
    ],
)
def test_messages_of__calls_and_answers_in_turns_of_their_own(calls: str, answers: str) -> None:
    turns = [
        said("human", "What is 2+2, and 3+3?"),
        said(calls, calling("add", a=2, b=2)),
        said(answers, "4"),
        said(calls, calling("add", a=3, b=3)),
        said(answers, {"sum": 6}),
        said("gpt", "4 and 6."),
    ]
    assert made(*turns) == [
        {"role": "user", "content": "What is 2+2, and 3+3?"},
        {"role": "assistant", "tool_calls": [call(1, "add", '{"a": 2, "b": 2}')]},
        {"role": "tool", "content": "4", "tool_call_id": "call_1"},
        {"role": "assistant", "tool_calls": [call(2, "add", '{"a": 3, "b": 3}')]},
        {"role": "tool", "content": '{"sum": 6}', "tool_call_id": "call_2"},
        {"role": "assistant", "content": "4 and 6."},
    ]


@pytest.mark.parametrize(
    "calls",
    [
        [said("function_call", calling("sun")), said("function_call", calling("rain"))],
        [said("function_call", f"[{calling('sun')}, {calling('rain')}]")],
        [said("function_call", [{"name": "sun"}, {"name": "rain", "parameters": {}}])],
        [said("gpt", "", tool_calls=[{"name": "sun"}, {"function": {"name": "rain"}}])],
        [
            said(
                "gpt",
                f"<tool_call>{calling('sun')}</tool_call>\n<tool_call>{calling('rain')}</tool_call>",
            )
        ],
    ],
    ids=["turns", "JSON text", "list", "tool_calls", "tags"],
)
@pytest.mark.parametrize(
    "answers",
    [
        [said("observation", "8 h"), said("observation", "2 mm")],
        [said("observation", '["8 h", "2 mm"]')],
        [
            said(
                "tool",
                "<tool_response>\n8 h\n</tool_response>\n<tool_response>2 mm</tool_response>\n",
            )
        ],
        [said("tool", "2 mm", tool_call_id="call_2"), said("tool", "8 h")],
        [said("tool", "2 mm", name="rain"), said("tool", "8 h", name="sun")],
    ],
    ids=["turns", "JSON text", "tags", "ids", "names"],
)
def test_messages_of__several_calls_at_once(
    calls: list[dict[str, Any]], answers: list[dict[str, Any]]
) -> None:
    messages = made(said("human", "And today?"), *calls, *answers, said("gpt", "Dry."))
    assert messages[1]["tool_calls"] == [call(1, "sun"), call(2, "rain")]
    assert {message["tool_call_id"]: message["content"] for message in messages[2:4]} == {
        "call_1": "8 h",
        "call_2": "2 mm",
    }
    assert [message["role"] for message in messages[2:]] == ["tool", "tool", "assistant"]


def test_messages_of__one_answer_that_is_a_list_stays_one() -> None:
    messages = made(said("human", "?"), said("function_call", calling("f")), said("tool", "[1]"))
    assert messages[-1] == {"role": "tool", "content": "[1]", "tool_call_id": "call_1"}


def test_messages_of__text_before_a_call_is_of_the_same_message() -> None:
    turns = [said("human", "?"), said("gpt", "I look."), said("function_call", calling("f"))]
    assert made(*turns)[1:] == [
        {"role": "assistant", "content": "I look.", "tool_calls": [call(1, "f")]}
    ]
    turns[1]["weight"] = 0
    assert made(*turns)[1:] == [
        {"role": "assistant", "content": "I look.", "weight": 0},
        {"role": "assistant", "tool_calls": [call(1, "f")]},
    ]


def test_messages_of__what_was_thought_before_a_call_is_its_text() -> None:
    text = "<think>\nHm.\n</think>"
    turns = [
        said("human", "?"),
        said("function_call", f"{text}\n{calling('f')}"),
        said("tool", "1"),
    ]
    assert made(*turns)[1] == {"role": "assistant", "content": text, "tool_calls": [call(1, "f")]}
    turns[2:] = [said("tool", "1"), said("gpt", "I look."), turns[1], said("tool", "2")]
    assert [message.get("content") for message in made(*turns)] == [
        *("?", text, "1"),
        *("I look.", text, "2"),
    ]


def test_messages_of__the_deprecated_form_of_calls() -> None:
    called = {"name": "f", "arguments": "{}"}
    for speaker in ("function", "observation"):
        turns = [said("human", "?"), {"from": "gpt", "function_call": called}, said(speaker, "1")]
        assert made(*turns)[1:] == [
            {"role": "assistant", "function_call": called},
            {"role": "function", "content": "1", "name": "f"},
        ]


def test_messages_of__ids_that_are_there_stay_and_are_not_made_again() -> None:
    given = {"id": "call_1", "name": "f", "arguments": "{}"}
    messages = made(
        said("human", "?"),
        said("function_call", {"name": "g"}),
        said("tool", "1"),
        said("gpt", "", tool_calls=[given]),
        said("tool", "2"),
    )
    assert [message["tool_calls"][0]["id"] for message in messages[1::2]] == ["call_2", "call_1"]
    assert [message["tool_call_id"] for message in messages[2::2]] == ["call_2", "call_1"]


def test_messages_of__tags_are_calls_only_where_there_are_tools() -> None:
    text = f"Write <tool_call>{calling('f')}</tool_call>"
    turns = [said("human", "How do I call?"), said("gpt", text)]
    assert made(*turns)[1] == {"role": "assistant", "content": text}
    assert made(*turns, has_tools=True)[1] == {
        "role": "assistant",
        "content": "Write",
        "tool_calls": [call(1, "f")],
    }
    broken = said("gpt", "<tool_call>f(1)</tool_call>")
    assert made(broken, has_tools=True) == [{"role": "assistant", "content": broken["value"]}]


@pytest.mark.parametrize("weight", [0, 1, 0.0, 1.0, False, True])
def test_messages_of__weight_is_kept(weight: Any) -> None:
    [message] = made(said("gpt", "a", weight=weight))
    assert message == {"role": "assistant", "content": "a", "weight": int(weight)}
    assert type(message["weight"]) is int


@pytest.mark.parametrize("name", ["loss", "train"])
def test_messages_of__weight_by_other_names(name: str) -> None:
    messages = made(*(said("gpt", "a", **{name: value}) for value in (False, True)))
    assert [message["weight"] for message in messages] == [0, 1]
    assert made(said("gpt", "a", weight=0, **{name: True}))[0]["weight"] == 0


def test_messages_of__weight_that_none_may_have_is_left_for_check() -> None:
    [message] = made(said("gpt", "a", weight=0.5))
    assert message["weight"] == 0.5
    [user] = made(said("human", "a", weight=1))
    assert user["weight"] == 1
    line = json.dumps({"messages": [user, message]}).encode()
    assert {"invalid_weight", "misplaced_weight"} <= set(check(line).counts)


def test_messages_of__weight_0_of_others_than_the_assistant_says_nothing() -> None:
    assert made(said("human", "a", weight=0.0), said("system", "b", loss=False)) == [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
    ]


def test_messages_of__keys_that_are_ignored() -> None:
    turn = said("gpt", "a", weight=0, hash="9c", name="x")
    assert made(turn, ignore=("hash", "weight", "name")) == [{"role": "assistant", "content": "a"}]


def test_messages_of__system_turns_stay_where_they_are() -> None:
    turns = [said("human", "a"), said("gpt", "b"), said("system", "c"), said("human", "d")]
    roles = [message["role"] for message in made(*turns)]
    assert roles == ["user", "assistant", "system", "user"]


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (["Hi"], "Turn 1: A turn must be an object, not 'Hi'."),
        ([{"from": "human"}], "Turn 1: 'content' is missing or null, there is only 'from'."),
        (
            [said("human", "a"), said("gpt", None)],
            "Turn 2: 'value' is missing or null, there is only 'from', 'value'.",
        ),
        ([said("human", 4)], "Turn 1: 'value' must be text, not 4."),
        (
            [said("gpt", "a", loss=0.5)],
            (
                "Turn 1: 'loss' has no place in a chat example. To leave it out, pass ignore=('loss',), "
                "or --ignore loss on the command line."
            ),
        ),
        (
            [said("function_call", "sun()")],
            "Turn 1: A call must be the JSON of a name and its arguments, not 'sun()'.",
        ),
        (
            [said("human", "a"), said("gpt", "Action: sun"), said("function", "8 h")],
            (
                "Turn 3: This is the answer of a tool (function), and no call stands before it. Write "
                "the call as a turn of its own (function_call) with the JSON of a name and its "
                "arguments."
            ),
        ),
        (
            [said("observation", "8 h")],
            (
                "Turn 1: This is the answer of a tool (observation), and no call stands before it. Write "
                "the call as a turn of its own (function_call) with the JSON of a name and its "
                "arguments."
            ),
        ),
        (
            [said("function_call", {"name": "sun"}), said("gpt", "8 h")],
            (
                "Turn 1: A call of sun has no answer. What the tool returned must follow right after "
                "the calls, in a turn of its own (observation)."
            ),
        ),
        (
            [said("function_call", [{"name": "sun"}, {"name": "rain"}]), said("tool", "8 h")],
            (
                "Turn 1: A call of rain has no answer. What the tool returned must follow right after "
                "the calls, in a turn of its own (observation)."
            ),
        ),
        (
            [said("function_call", {"name": "sun"}), said("tool", "8 h"), said("tool", "9 h")],
            (
                "Turn 3: This is one answer too many (tool). The calls of turn 1 have one each already."
            ),
        ),
    ],
)
def test_messages_of__what_it_cannot_take(turns: list[Any], message: str) -> None:
    with pytest.raises(TrainingDataError) as caught:
        made(*turns)
    assert caught.value.message == message


def test_messages_of__role_that_is_not_known() -> None:
    with pytest.raises(TrainingDataError) as caught:
        made(said("narrator", "Once"))
    assert caught.value.message.startswith(
        "Turn 1: The role 'narrator' of a turn is not known, only system, developer, human, "
    )


def test_messages_of__what_it_makes_passes_check() -> None:
    tools = [{"type": "function", "function": {"name": "sun", "parameters": {"type": "object"}}}]
    turns = [
        said("human", "Sun?", weight=0),
        said("function_call", calling("sun")),
        said("observation", "8 h"),
        said("gpt", "8 hours.", weight=1),
    ]
    lines = [
        jsonl_line({"messages": made(said("system", f"{n}"), *turns), "tools": tools}, n)
        for n in range(10)
    ]
    assert check(b"".join(lines)).problems == []


def test_messages_of__calls_at_the_end_need_no_answer() -> None:
    assert made(said("human", "?"), said("function_call", calling("f")))[-1] == {
        "role": "assistant",
        "tool_calls": [call(1, "f")],
    }


def test_messages_of__calls_with_ids_that_do_not_match_are_left_for_check() -> None:
    turns = [
        said("human", "?"),
        said("gpt", "", tool_calls=[call(7, "f")]),
        said("tool", "1", tool_call_id="call_8"),
        said("gpt", "a"),
    ]
    messages = made(*turns)
    assert messages[2] == {"role": "tool", "content": "1", "tool_call_id": "call_8"}
    assert "orphan_tool_message" in check(json.dumps({"messages": messages}).encode()).counts
