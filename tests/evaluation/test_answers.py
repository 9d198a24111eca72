from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from finetune_client import DecodeError
from finetune_client.evaluation import Answer, AnswerFile, Question
from finetune_client.evaluation.answers import answer_key
from finetune_client.models import ChatCompletion

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = Answer(
    key="k1",
    model="m",
    number=1,
    messages=[{"role": "user", "content": "é?"}],
    text="yes",
    message={"role": "assistant", "content": "yes"},
    finish_reason="stop",
    usage={"total_tokens": 3},
    settings={"max_tokens": 9},
)
QUESTION = Question(number=4, messages=[{"role": "user", "content": "?"}])


def test_of__takes_the_first_choice() -> None:
    completion = ChatCompletion.from_dict(
        {
            "choices": [
                {"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 1},
        }
    )
    answer = Answer.of(completion, QUESTION, "m", {})
    assert (answer.text, answer.number, answer.finish_reason) == ("a", 4, "stop")
    assert answer.usage == {"prompt_tokens": 1}
    empty = Answer.of(ChatCompletion.from_dict({"choices": []}), QUESTION, "m", {})
    assert (empty.text, empty.message, empty.usage) == ("", {}, {})


def test_answer_key__is_of_model_question_and_settings_but_not_of_the_place() -> None:
    key = answer_key(QUESTION, "m", {"seed": 1})
    assert key == answer_key(replace(QUESTION, number=9, reference="x"), "m", {"seed": 1})
    others = [
        answer_key(QUESTION, "n", {"seed": 1}),
        answer_key(QUESTION, "m", {"seed": 2}),
        answer_key(
            replace(QUESTION, messages=[{"role": "user", "content": "!"}]), "m", {"seed": 1}
        ),
        answer_key(replace(QUESTION, tools=[{}]), "m", {"seed": 1}),
    ]
    assert len({key, *others}) == 5


def test_answer_file__is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerFile(path) as file:
        file.add(ANSWER)
        assert file.get("k1") == ANSWER
    with AnswerFile(path) as file:
        assert file.all() == [ANSWER]
        file.add(replace(ANSWER, key="k2"))
    assert [json.loads(line)["key"] for line in path.read_text("utf-8").splitlines()] == [
        "k1",
        "k2",
    ]


def test_answer_file__drops_the_line_that_a_killed_process_left(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerFile(path) as file:
        file.add(ANSWER)
    whole = path.read_bytes()
    for cut in (1, 20, len(whole) - 1):
        path.write_bytes(whole + whole[:cut])
        with AnswerFile(path) as file:
            assert file.all() == [ANSWER]
            file.add(replace(ANSWER, key="k2"))
        assert path.read_bytes().count(b"\n") == 2
        path.write_bytes(whole)


@pytest.mark.parametrize("line", [b"{}", b"[1]", b"no json", b'{"key": "a", "number": "x"}'])
def test_answer_file__of_something_else_is_refused_and_left_as_it_is(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(DecodeError, match=r"other\.jsonl, line 1, is not an answer: ") as caught:
        AnswerFile(path)
    assert "Error(" not in str(caught.value)
    assert path.read_bytes() == line + b"\n"


def test_answer_file__without_a_path_keeps_them_in_memory() -> None:
    with AnswerFile() as file:
        file.add(ANSWER)
        assert file.all() == [ANSWER]


def test_answer_file__two_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with AnswerFile(path) as one, AnswerFile(path) as two:
        threads = [
            threading.Thread(
                target=lambda file=file, name=name: [
                    file.add(replace(ANSWER, key=f"{name}{n}", text="x" * 5000)) for n in range(20)
                ]
            )
            for file, name in ((one, "a"), (two, "b"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with AnswerFile(path) as file:
        assert len(file.all()) == 40
