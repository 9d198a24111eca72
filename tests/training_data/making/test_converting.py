from __future__ import annotations

import ast
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError, TrainingDataError
from finetune_client.models.examples.lines import ChatExample, CompletionExample
from finetune_client.training_data.making.converting import (
    convert,
    from_alpaca,
    from_prompt_completion,
    from_sharegpt,
)

TEXT = st.text(max_size=20)


def turns(example: ChatExample) -> list[tuple[str, str]]:
    """Role and text of each message, and that there is nothing else."""
    data = example.to_dict()
    assert set(data) == {"messages"}
    assert all(set(message) == {"role", "content"} for message in data["messages"])
    return [(message["role"], message["content"]) for message in data["messages"]]


def test_from_prompt_completion__as_they_are() -> None:
    row = {"id": 7, "prompt": "2+2 ->", "completion": " 4\n"}
    expected = [("user", "2+2 ->"), ("assistant", " 4\n")]
    assert turns(from_prompt_completion(row)) == expected
    example = CompletionExample(prompt="2+2 ->", completion=" 4\n")
    assert turns(from_prompt_completion(example, system="Add.")) == [("system", "Add."), *expected]


def test_from_prompt_completion__marks_are_taken_away() -> None:
    row = {"prompt": "2+2\n\n###\n\n", "completion": "  4 END"}
    example = from_prompt_completion(row, separator="\n\n###\n\n", ending=" END")
    assert turns(example) == [("user", "2+2"), ("assistant", " 4")]


def test_from_prompt_completion__marks_that_are_not_there() -> None:
    row = {"prompt": "2+2", "completion": " 4"}
    example = from_prompt_completion(row, separator=" ->", ending=" END")
    assert turns(example) == [("user", "2+2"), ("assistant", " 4")]


@pytest.mark.parametrize(
    ("row", "user"),
    [
        ({"instruction": "Add.", "input": "2, 2", "output": "4"}, "Add.\n\n2, 2"),
        ({"instruction": "Add 2, 2.", "input": "", "output": "4"}, "Add 2, 2."),
        ({"instruction": "Add 2, 2.", "output": "4"}, "Add 2, 2."),
        ({"instruction": "", "input": "2+2", "output": "4", "history": None}, "2+2"),
        ({"instruction": "2+2", "input": "", "output": "4", "history": ""}, "2+2"),
    ],
)
def test_from_alpaca__instruction_and_input(row: dict[str, Any], user: str) -> None:
    assert turns(from_alpaca(row)) == [("user", user), ("assistant", "4")]


def test_from_alpaca__system_and_history() -> None:
    row = {
        "instruction": "And 3?",
        "output": "5",
        "system": "Add 2.",
        "history": [["1?", "3"], ["2?", "4"]],
    }
    assert turns(from_alpaca(row, system="not used")) == [
        ("system", "Add 2."),
        ("user", "1?"),
        ("assistant", "3"),
        ("user", "2?"),
        ("assistant", "4"),
        ("user", "And 3?"),
        ("assistant", "5"),
    ]


@pytest.mark.parametrize("history", [5, True, "1? 3", {"1?": "3"}])
def test_from_alpaca__history_is_no_list(history: Any) -> None:
    with pytest.raises(TrainingDataError) as caught:
        from_alpaca({"instruction": "a", "output": "b", "history": history})
    assert caught.value.message == f"'history' must be a list, not {history!r}."


@pytest.mark.parametrize("history", [["1?", "3"], [["1?"]], [[1, 2]], [{"q": 1}]])
def test_from_alpaca__history_is_odd(history: list[Any]) -> None:
    with pytest.raises(TrainingDataError) as caught:
        from_alpaca({"instruction": "a", "output": "b", "history": history})
    assert caught.value.message == (
        f"history must be pairs of question and answer, not {history[0]!r}."
    )


def test_from_sharegpt__both_spellings() -> None:
    row = {
        "id": "x1",
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Hello."},
        ],
    }
    other = {
        "system": "Be brief.",
        "conversation": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello."},
        ],
    }
    expected = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello.")]
    assert turns(from_sharegpt(row, system="not used")) == expected
    assert turns(from_sharegpt(other, system="not used")) == expected
    assert turns(from_sharegpt({**other, "system": ""}, system="Be kind.")) == [
        ("system", "Be kind."),
        *expected[1:],
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"conversations": "Hi"}, "'conversations' must be a list, not 'Hi'."),
        ({"turns": []}, "'conversations' is missing or null, there is only 'turns'."),
        ({}, "'conversations' is missing or null, there is only nothing."),
        (
            {"conversations": [], "source": "web"},
            (
                "'source' has no place in a chat example. To leave it out, pass ignore=('id', 'source'), "
                "or --ignore source on the command line."
            ),
        ),
    ],
)
def test_from_sharegpt__what_it_cannot_take(row: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingDataError) as caught:
        from_sharegpt(row)
    assert caught.value.message == message


def test_convert__what_an_error_advises_works() -> None:
    rows = [
        {
            "id": 4,
            "source": "web",
            "conversations": [
                {"from": "human", "value": "Hi", "hash": "9c", "lang": "en"},
                {"from": "gpt", "value": "Hello", "hash": "77", "lang": "en"},
            ],
        }
    ]
    ignore: tuple[str, ...] = ("id",)
    for left in ("'source'", "'hash', 'lang'"):
        with pytest.raises(TrainingDataError) as caught:
            list(convert(rows, ignore=ignore))
        assert re.search(rf"{left} (has|have) no place", caught.value.message)
        advice = re.search(r"ignore=(\(.*?\))", caught.value.message)
        assert advice
        ignore = ast.literal_eval(advice[1])
    assert ignore == ("id", "source", "hash", "lang")
    (example,) = convert(rows, ignore=ignore)
    assert turns(example) == [("user", "Hi"), ("assistant", "Hello")]


def test_convert__what_a_shape_needs_is_never_left_out() -> None:
    row = {"content": "of the page", "conversations": [{"role": "user", "content": "Hi"}]}
    (example,) = convert([row], ignore=("content", "role"))
    assert turns(example) == [("user", "Hi")]


def test_convert__lists_in_cells_of_a_table() -> None:
    said = [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]
    for text in (json.dumps(said), str(said)):
        (example,) = convert([{"conversations": text}])
        assert turns(example) == [("user", "2+2?"), ("assistant", "4")]
    (example,) = convert([{"instruction": "3?", "output": "4", "history": '[["2?", "3"]]'}])
    assert turns(example)[:2] == [("user", "2?"), ("assistant", "3")]


def test_convert__a_long_value_is_not_shown_whole() -> None:
    with pytest.raises(TrainingDataError) as caught:
        list(convert([{"prompt": ["x" * 1000], "completion": "a"}]))
    assert len(caught.value.message) < 150


def test_convert__one_key_to_ignore_given_as_text() -> None:
    (example,) = convert([{"prompt": "a", "completion": "b", "prom": "c"}], ignore="prom")
    assert turns(example) == [("user", "a"), ("assistant", "b")]


TOOLS = [
    {
        "type": "function",
        "function": {"name": "add", "description": "a + b", "parameters": {"type": "object"}},
    }
]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "2+2?", "output": "4", "history": [["1+1?", "2"]]},
        {"prompt": "2+2?", "completion": "4"},
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
        {"messages": [{"role": "user", "content": "2+2?"}, {"role": "model", "content": "4"}]},
    ],
    ids=["alpaca", "prompt_completion", "sharegpt", "messages"],
)
def test_convert__system_and_tools_of_every_shape(row: dict[str, Any]) -> None:
    (example,) = convert([{**row, "system": "Add.", "tools": json.dumps(TOOLS)}], system="unused")
    data = example.to_dict()
    assert data["tools"] == TOOLS
    assert data["messages"][0] == {"role": "system", "content": "Add."}
    assert data["messages"][-1] == {"role": "assistant", "content": "4"}
    (plain,) = convert([{**row, "system": None, "tools": ""}])
    assert plain.tools is None


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "2+2?", "output": "5", "weight": 0.0},
        {"prompt": "2+2?", "completion": "5", "weight": 0},
        {
            "conversation": [
                {"from": "human", "value": "2+2?"},
                {"from": "gpt", "value": "5", "weight": 0},
            ]
        },
    ],
)
def test_convert__weight_of_the_answer_is_kept(row: dict[str, Any]) -> None:
    (example,) = convert([row])
    assert example.to_dict()["messages"] == [
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "5", "weight": 0},
    ]


def test_from_prompt_completion__lists_of_messages() -> None:
    row = {
        "prompt": [{"role": "system", "content": "Add."}, {"role": "user", "content": "2+2?"}],
        "completion": [{"role": "assistant", "content": "4"}],
    }
    assert turns(from_prompt_completion(row, system="unused")) == [
        ("system", "Add."),
        ("user", "2+2?"),
        ("assistant", "4"),
    ]


def test_from_sharegpt__a_chat_example_stays_what_it_is() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    row = {
        "messages": [
            {"role": "developer", "content": "Add."},
            {"role": "user", "content": [{"type": "text", "text": "2+2?"}], "name": "kim"},
            {"role": "assistant", "content": "", "tool_calls": [call], "weight": 1},
            {"role": "tool", "content": [{"type": "text", "text": "4"}], "tool_call_id": "c"},
            {"role": "assistant", "refusal": "No."},
        ],
        "tools": TOOLS,
        "parallel_tool_calls": False,
    }
    assert from_sharegpt(row, system="unused").to_dict() == row
    legacy = {
        "messages": [
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}},
            {"role": "function", "name": "add", "content": "4"},
            {"role": "assistant", "content": "4"},
        ],
        "functions": [TOOLS[0]["function"]],
    }
    assert from_sharegpt(legacy).to_dict() == legacy


def test_convert__keys_tell_the_shape() -> None:
    rows: list[Any] = [
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
        {"instruction": "a", "output": "b"},
        {"prompt": "a", "completion": "b"},
        CompletionExample(prompt="a", completion="b"),
    ]
    expected = [("system", "s"), ("user", "a"), ("assistant", "b")]
    assert [turns(example) for example in convert(rows, system="s")] == [expected] * 4


def test_convert__names_the_row() -> None:
    rows = convert([{"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": 4}])
    assert turns(next(rows)) == [("user", "a"), ("assistant", "b")]
    with pytest.raises(TrainingDataError) as caught:
        next(rows)
    assert caught.value.message == "Row 2: 'completion' must be text, not 4."


def test_convert__unknown_row_and_shape() -> None:
    with pytest.raises(TrainingDataError) as caught:
        list(convert([{"text": "a"}]))
    assert caught.value.message == (
        "Row 1: The row is none of the shapes that are known: it has neither conversations or "
        "messages, nor instruction, nor prompt, but 'text'. Rename the columns that hold the question "
        "and the answer: read_rows(file, columns={'prompt': ..., 'completion': ...}), or --column "
        "prompt=... --column completion=... on the command line."
    )
    with pytest.raises(TrainingDataError) as caught:
        list(convert([{"input": {"messages": []}, "preferred_output": []}]))
    assert caught.value.message == (
        "Row 1: The row is a preference example, which is no chat example but can be trained on "
        "(dpo). Write such rows as they are: write_jsonl(path, read_rows(file))."
    )
    with pytest.raises(RequestError) as refused:
        convert([], "vicuna")  # type: ignore[arg-type]  # what it must refuse
    assert refused.value.message == (
        "shape must be one of alpaca, prompt_completion, sharegpt, got 'vicuna'."
    )


def test_convert__shape_and_ignored_keys_given() -> None:
    rows = [{"prompt": "x", "instruction": "a", "output": "b", "lang": "en"}]
    (example,) = convert(rows, "alpaca", ignore={"prompt", "lang"})
    assert turns(example) == [("user", "a"), ("assistant", "b")]


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({"instruction": TEXT, "input": TEXT, "output": TEXT, "system": TEXT}),
    st.lists(st.tuples(TEXT, TEXT), max_size=3),
)
def test_from_alpaca__loses_no_text(row: dict[str, str], history: list[tuple[str, str]]) -> None:
    got = turns(from_alpaca({**row, "history": history}))
    assert all(part in got[-2][1] for part in (row["instruction"], row["input"]))
    assert got[-1] == ("assistant", row["output"])
    assert got[0] == ("system", row["system"]) or not row["system"]
    pairs = [text for pair in history for text in pair]
    assert [text for _, text in got[-2 - len(pairs) : -2]] == pairs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["human", "gpt", "system"]), TEXT)))
def test_from_sharegpt__loses_no_text(said: list[tuple[str, str]]) -> None:
    row = {"conversations": [{"from": who, "value": text} for who, text in said]}
    roles = {"human": "user", "gpt": "assistant", "system": "system"}
    assert turns(from_sharegpt(row)) == [(roles[who], text) for who, text in said]


@settings(max_examples=40, deadline=None)
@given(TEXT, TEXT)
def test_from_prompt_completion__loses_no_text(prompt: str, completion: str) -> None:
    got = turns(from_prompt_completion({"prompt": prompt, "completion": completion}))
    assert got == [("user", prompt), ("assistant", completion)]
