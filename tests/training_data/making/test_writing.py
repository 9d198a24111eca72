from __future__ import annotations

import datetime as dt
import json
import math
import os
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import TrainingDataError
from finetune_client.models.examples.lines import (
    ChatExample,
    CompletionExample,
    PreferenceExample,
    PreferenceInput,
    ReinforcementExample,
)
from finetune_client.models.examples.messages import ChatMessage
from finetune_client.training_data.making.reading import read_rows
from finetune_client.training_data.making.writing import write_jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION = ChatMessage(role="user", content="2+2?")
ANSWER = ChatMessage(role="assistant", content="4")
QUESTION_LINE = '{"role": "user", "content": "2+2?"}'
ANSWER_LINE = '{"role": "assistant", "content": "4"}'
WRONG_LINE = '{"role": "assistant", "content": "5"}'
PREFERENCE_LINE = (
    f'{{"input": {{"messages": [{QUESTION_LINE}]}}, "preferred_output": [{ANSWER_LINE}], '
    f'"non_preferred_output": [{WRONG_LINE}]}}'
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
EXAMPLES = st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=5)


@pytest.mark.parametrize(
    ("example", "line"),
    [
        (
            ChatExample(messages=[QUESTION, ANSWER]),
            f'{{"messages": [{QUESTION_LINE}, {ANSWER_LINE}]}}',
        ),
        (
            CompletionExample(prompt="2+2=", completion=" 4"),
            '{"prompt": "2+2=", "completion": " 4"}',
        ),
        (
            PreferenceExample(
                input=PreferenceInput(messages=[QUESTION]),
                preferred_output=[ANSWER],
                non_preferred_output=[ChatMessage(role="assistant", content="5")],
            ),
            PREFERENCE_LINE,
        ),
        (
            ReinforcementExample(messages=[QUESTION], extra={"solution": 4}),
            '{"messages": [{"role": "user", "content": "2+2?"}], "solution": 4}',
        ),
        ({"prompt": "é→", "completion": "\n"}, '{"prompt": "é→", "completion": "\\n"}'),
    ],
)
def test_write_jsonl__models_and_dicts(example: Any, line: str, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    assert write_jsonl(path, [example, example]) == 2
    assert path.read_bytes() == (line + "\n").encode() * 2


def test_write_jsonl__nothing_gives_an_empty_file(tmp_path: Path) -> None:
    assert write_jsonl(tmp_path / "train.jsonl", []) == 0
    assert (tmp_path / "train.jsonl").read_bytes() == b""


@settings(max_examples=60, deadline=None)
@given(EXAMPLES)
def test_write_jsonl__reading_gives_it_back(
    tmp_path_factory: pytest.TempPathFactory, examples: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("w") / "train.jsonl"
    assert write_jsonl(path, examples) == len(examples)
    assert list(read_rows(path)) == examples
    assert len(path.read_text("utf-8").splitlines()) == len(examples)


def test_write_jsonl__does_not_overwrite_unasked(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("mine")
    with pytest.raises(FileExistsError) as caught:
        write_jsonl(path, [{"a": 1}])
    assert (caught.value.strerror, caught.value.filename) == (
        "The file is there already; pass overwrite=True to replace it",
        str(path),
    )
    assert path.read_text() == "mine"
    assert write_jsonl(path, [{"a": 1}], overwrite=True) == 1
    assert path.read_text() == '{"a": 1}\n'


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_write_jsonl__keeps_a_link_and_the_permissions_of_the_file_behind_it(
    tmp_path: Path,
) -> None:
    path, link = tmp_path / "data.jsonl", tmp_path / "link.jsonl"
    path.write_bytes(b"")
    path.chmod(0o640)
    link.symlink_to(path)
    write_jsonl(link, [{"a": 1}], overwrite=True)
    assert link.is_symlink()
    assert path.read_bytes() == b'{"a": 1}\n'
    assert path.stat().st_mode & 0o777 == 0o640


def test_write_jsonl__a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"

    def examples() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        path.write_text("mine")

    with pytest.raises(FileExistsError):
        write_jsonl(path, examples())
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("train.jsonl", "mine")
    ]


def test_write_jsonl__an_exception_leaves_nothing(tmp_path: Path) -> None:
    def examples() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(tmp_path / "train.jsonl", examples())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [1, math.nan]}, "a[1]: nan is not a number that JSON has"),
        ({"a": 10**5000}, "a: a number of thousands of digits, which readers of JSON refuse"),
        ({"a": {"b": math.inf}}, "a.b: inf is not a number that JSON has"),
        ({"a": b"x"}, "a: a bytes, which JSON does not have"),
        ({"a": dt.date(2026, 1, 1)}, "a: a date, which JSON does not have"),
        ({"a": {1}}, "a: a set, which JSON does not have"),
        ({1: "a"}, "the example: the key 1 is not text"),
        ({"a": {None: 1}}, "a: the key None is not text"),
        ({"a": "x\ud800"}, "a: half of a surrogate pair, which UTF-8 cannot hold"),
        (
            {"a": {"\ud800": 1}},
            "a: the key '\\ud800' has half of a surrogate pair, which UTF-8 cannot hold",
        ),
    ],
)
def test_write_jsonl__what_json_cannot_hold(value: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError) as caught:
        write_jsonl(tmp_path / "train.jsonl", [{"a": 1}, value])
    assert caught.value.message == f"Example 2 cannot be written as JSON: {problem}."
    assert caught.value.problems == [problem]
    assert list(tmp_path.iterdir()) == []
    assert pickle.loads(pickle.dumps(caught.value)).problems == [problem]


@pytest.mark.parametrize("example", ["text", 3, None, ["a"], ChatExample])
def test_write_jsonl__not_an_example(example: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError) as caught:
        write_jsonl(tmp_path / "train.jsonl", [example])
    assert caught.value.message == (
        f"Example 1 must be a model such as ChatExample or a dict, got {example!r}."
    )


def test_write_jsonl__line_boundaries_of_unicode_are_escaped(tmp_path: Path) -> None:
    value = {"a": "x\u2028y\u2029z\x85\x0b\x1c"}
    write_jsonl(tmp_path / "train.jsonl", [value])
    lines = (tmp_path / "train.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [value]


def test_write_jsonl__an_example_that_holds_itself(tmp_path: Path) -> None:
    example: dict[str, Any] = {}
    example["a"] = [example]
    with pytest.raises(TrainingDataError) as caught:
        write_jsonl(tmp_path / "train.jsonl", [example])
    assert caught.value.message == (
        "Example 1 cannot be written as JSON: the example: it is nested too deeply, or holds "
        "itself."
    )


def test_write_jsonl__kinds_of_their_own_are_written_too(tmp_path: Path) -> None:
    class Text(str):
        __slots__ = ()

    value = {"a": (Text("x"), 1, 2.5), "b": True}
    assert write_jsonl(tmp_path / "train.jsonl", [value]) == 1
    assert (tmp_path / "train.jsonl").read_text() == '{"a": ["x", 1, 2.5], "b": true}\n'
