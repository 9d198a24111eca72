from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import RequestError, TrainingDataError
from finetune_client.evaluation import Question, read_questions

if TYPE_CHECKING:
    from pathlib import Path

USER = {"role": "user", "content": "2+2?"}
TOOLS = [{"type": "function", "function": {"name": "add"}}]


def test_read_questions__takes_the_last_answer_for_the_reference() -> None:
    row = {
        "messages": [USER, {"role": "assistant", "content": "4", "weight": 1}],
        "tools": TOOLS,
        "topic": "sums",
    }
    (question,) = read_questions([row])
    assert question == Question(
        number=1,
        messages=[USER],
        tools=TOOLS,
        reference="4",
        item={"reference": "4", **row},
    )


@pytest.mark.parametrize(
    ("row", "messages", "reference"),
    [
        ({"messages": [USER]}, [USER], None),
        ({"prompt": "2+2=", "completion": " 4"}, [{"role": "user", "content": "2+2="}], " 4"),
        ({"prompt": "2+2="}, [{"role": "user", "content": "2+2="}], None),
        (
            {
                "input": {"messages": [USER]},
                "preferred_output": [{"role": "assistant", "content": "4"}],
                "non_preferred_output": [{"role": "assistant", "content": "5"}],
            },
            [USER],
            "4",
        ),
        (
            {"messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": "4"}]}]},
            [USER],
            "4",
        ),
        (
            {"messages": [{"role": "assistant", "content": "Hi", "weight": 0}, USER]},
            [{"role": "assistant", "content": "Hi"}, USER],
            None,
        ),
        ({"messages": [USER, {"role": "assistant", "tool_calls": []}]}, [USER], None),
    ],
)
def test_read_questions__of_every_kind_of_row(
    row: dict[str, Any], messages: list[Any], reference: str | None
) -> None:
    (question,) = read_questions([row])
    assert question.messages == messages
    assert question.reference == reference
    assert question.item.get("reference") == reference


def test_read_questions__a_reference_of_the_row_s_own_stays() -> None:
    row = {"messages": [USER, {"role": "assistant", "content": "4"}], "reference": "four"}
    (question,) = read_questions([row])
    assert (question.reference, question.item["reference"]) == ("4", "four")


def test_read_questions__from_a_file_with_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{n}?"}) + "\n" for n in range(9)))
    assert [question.number for question in read_questions(path, limit=3)] == [1, 2, 3]
    assert len(read_questions(str(path))) == 9


def test_read_questions__names_the_rows_without_one() -> None:
    rows = [{"prompt": "a"}, *[{"text": "b"}] * 7]
    with pytest.raises(RequestError) as caught:
        read_questions(rows)
    assert str(caught.value) == (
        "No question could be found in rows 2, 3, 4, 5, 6, ...: a row needs 'messages' that end with "
        "a question or with the assistant's answer to it, an 'input' with such messages, or a "
        "'prompt'. Nothing was sent."
    )


@pytest.mark.parametrize(
    "row",
    [{"messages": []}, {"messages": "x"}, {"messages": [1]}, {"messages": [{"role": "system"}]}],
)
def test_read_questions__refuses_rows_that_ask_nothing(row: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="in row 1:"):
        read_questions([row])


def test_read_questions__of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(
        TrainingDataError, match=r"There are no questions in .*a\.jsonl: it has no rows"
    ):
        read_questions(tmp_path / "a.jsonl")
