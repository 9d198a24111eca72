from __future__ import annotations

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
        ({"conversations": ["Hi"]}, "A turn must be an object, not 'Hi'."),
        (
            {"conversations": [{"from": "human"}]},
            "'content' is missing or null, there is only 'from'.",
        ),
        (
            {"conversations": [{"from": "human", "value": None}]},
            "'value' is missing or null, there is only 'from', 'value'.",
        ),
        (
            {"conversations": [{"from": "human", "value": "a", "loss": 0.5}]},
            "'loss' has no place in a chat example: pass ignore= with the keys that may be left out.",
        ),
        (
            {"conversations": [{"from": "observation", "value": "a"}]},
            (
                "The role 'observation' of a turn is not known, only system, developer, human, user, "
                "gpt, chatgpt, bard, bing, assistant, model."
            ),
        ),
        (
            {"conversations": [], "source": "web"},
            (
                "'source' has no place in a chat example: pass ignore= with the keys that may be left "
                "out."
            ),
        ),
    ],
)
def test_from_sharegpt__what_it_cannot_take(row: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingDataError) as caught:
        from_sharegpt(row)
    assert caught.value.message == message


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
        "Row 1: The row is none of the shapes that are known: it has neither conversations, nor "
        "instruction, nor prompt, but 'text'."
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
